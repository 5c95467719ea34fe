"""A small HTTP server in the place of the proxy's health endpoint: health_server.py LOG STATUS BODY

Answers every request with that status and body, and writes its path to LOG. Prints its port. With
STATUS 0 it accepts, and never answers.
"""
import http.server
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        with open(sys.argv[1], "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")
        status = int(sys.argv[2])
        if status == 0:
            time.sleep(600)
        body = sys.argv[3].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_HEAD = answer

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"port {server.server_address[1]}", flush=True)
server.serve_forever()
