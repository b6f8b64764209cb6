"""A FHIR endpoint for transactions: parses each Bundle with fhir.resources, refuses what that refuses with 422, and puts each
resource under its id into a folder, as a server does. The first request of all is answered with 503. Given a certificate,
its key and an authority it speaks TLS, and only with a client that shows a certificate of that authority."""

import http.server
import json
import pathlib
import ssl
import sys

from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

FOLDER = pathlib.Path(sys.argv[2])


class Endpoint(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Endpoint.requests += 1
        if Endpoint.requests == 1:
            return self.answer(503, {})
        if self.headers["Content-Type"] != "application/fhir+json":
            return self.answer(415, {})
        try:
            bundle = Bundle.model_validate_json(body)
        except ValidationError:
            return self.answer(422, {})
        for entry in bundle.entry:
            kind, name = entry.request.url.split("/")
            assert (kind, name) == (entry.resource.get_resource_type(), entry.resource.id)
            (FOLDER / f"{kind}-{name}.json").write_bytes(entry.resource.model_dump_json().encode())
        responses = [{"response": {"status": "200"}} for _ in bundle.entry]
        return self.answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": responses})

    def answer(self, status, body):
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *arguments):
        """Nothing: a log would name the patient."""


def serve(port, papers):
    server = http.server.HTTPServer(("127.0.0.1", port), Endpoint)
    if papers:
        certificate, key, authority = papers
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[3:])
