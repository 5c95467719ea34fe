"""A server that refuses each login with the same error: refusing_server.py SQLSTATE ROUTINE TEXT.

Prints "port N". What libpq sends first is not read to its end: the answer is the same."""
import socket
import sys

code, routine, text = sys.argv[1:]
fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": text, "F": "x.c", "L": "1", "R": routine}
body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items()) + b"\0"
answer = b"E" + (len(body) + 4).to_bytes(4, "big") + body

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print("port", listener.getsockname()[1], flush=True)
while True:
    client = listener.accept()[0]
    with client:
        client.recv(10000)
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        while client.recv(10000):
            pass
