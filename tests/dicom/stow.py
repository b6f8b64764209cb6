"""A sender over HTTP: builds store requests by hand (PS3.18 10.5), sends them with the standard library, and tells as one line
of JSON what each was answered.

usage: stow.py PORT TOKEN_FILE LIMIT_BYTES FILE FILE
"""

import http.client
import json
import socket
import sys
import uuid

from pydicom import dcmread

# Longer than a loaded machine takes for a film.
PATIENCE_S = 30


def multipart(objects):
    boundary = uuid.uuid4().hex
    parts = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), each) for each in objects
    )
    return boundary, parts + b"--%s--\r\n" % boundary.encode()


def told(status, body):
    answer = {"status": status}
    if body.startswith(b"{"):
        module = json.loads(body)
        items = {tag: module.get(tag, {}).get("Value", []) for tag in ("00081198", "00081199", "0008119A")}
        answer["stored"] = [item["00081155"]["Value"][0] for item in items["00081199"]]
        answer["failed"] = [item["00081197"]["Value"][0] for item in items["00081198"] + items["0008119A"]]
    return answer


class Sender:
    def __init__(self, port, token):
        self.port, self.token = port, token

    def post(self, objects, path="/studies", token=None, kind=None):
        boundary, body = multipart(objects)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        kind = kind or f'multipart/related; type="application/dicom"; boundary={boundary}'
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token or self.token}"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = told(response.status, response.read())
        answer["kind"] = response.getheader("Content-Type")
        return answer

    def truncated(self, objects):
        """A connection that is closed in the middle of the body."""
        boundary, body = multipart(objects)
        head = (
            f"POST /studies HTTP/1.1\r\nHost: device\r\nAuthorization: Bearer {self.token}\r\n"
            f'Content-Type: multipart/related; type="application/dicom"; boundary={boundary}\r\n'
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            connection.sendall(head.encode() + body[: len(body) // 2])


def main(port, token, limit, first, second):
    one, two = (open(file, "rb").read() for file in (first, second))
    study = dcmread(first, stop_before_pixels=True).StudyInstanceUID
    sender = Sender(port, open(token).read().strip())
    answers = {
        "wrong_token": sender.post([one], token="not-the-token-of-anybody-0123456789"),
        "wrong_kind": sender.post([one], kind="application/dicom"),
        "too_large": sender.post([one, bytes(limit)]),
        "other_study": sender.post([one], path="/studies/1.2.3"),
        "good_and_bad": sender.post([one, b"no film"]),
    }
    sender.truncated([two])
    answers["its_study"] = sender.post([one], path=f"/studies/{study}")
    answers["both"] = sender.post([one, two])
    answers["instances"] = [dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in (first, second)]
    print(json.dumps(answers))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *sys.argv[4:6])
