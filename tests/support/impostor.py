"""What calls itself a server and asks for a password in clear text: impostor.py FILE

Listens on a port of 127.0.0.1, which it prints, and writes all that it is sent to FILE.
"""
import socket
import struct
import sys
import threading

SSL, GSS = 80877103, 80877104
ASK_CLEAR_TEXT = b"R" + struct.pack(">II", 8, 3)


def serve(client, log):
    try:
        while data := client.recv(65536):
            log.write(data)
            log.flush()
            if len(data) >= 8 and struct.unpack(">I", data[4:8])[0] in (SSL, GSS):
                client.sendall(b"N")
            elif data[:1] == b"\0":
                client.sendall(ASK_CLEAR_TEXT)
    except OSError:
        pass
    client.close()


log = open(sys.argv[1], "ab")
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], log), daemon=True).start()
