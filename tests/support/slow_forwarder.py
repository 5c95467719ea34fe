"""A forwarder that is slow to answer: slow_forwarder.py PORT SECONDS

Forwards a port of its own, which it prints, to PORT of 127.0.0.1; what comes back is held up for SECONDS.
"""
import socket
import sys
import threading
import time


def pump(source, target, delay):
    try:
        while data := source.recv(65536):
            time.sleep(delay)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for way in ((client, server, 0), (server, client, float(sys.argv[2]))):
        threading.Thread(target=pump, args=way, daemon=True).start()
