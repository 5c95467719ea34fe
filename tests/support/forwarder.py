"""A forwarder: forwarder.py PORT TO [mute]

Forwards PORT of 127.0.0.1 to its port TO, and prints which one that is: 0 is any free one. With
"mute" nothing comes back.
"""
import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("port", listener.getsockname()[1], flush=True)
kept = []
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    # a socket that nobody refers to is closed
    kept += client, server
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    if "mute" not in sys.argv[3:]:
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
