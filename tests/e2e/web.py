"""A small HTTP client: keep-alive requests, raw bytes, and server-sent events."""
import http.client
import json
import socket


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem; empty for other answers."""
        return self.json.get("code", "") if "problem+json" in self.headers.get("Content-Type", "") else ""

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Client:
    """One keep-alive connection; not for several threads at once. A closed connection is opened again."""

    def __init__(self, port, token=None, timeout=30, host="127.0.0.1"):
        self.host = host
        self.port = port
        self.token = token
        self.timeout = timeout
        self.connection = None

    def request(self, method, path, body=None, token=None, headers=None, raw=None):
        fields = dict(headers or {})
        token = token or self.token
        if token and "Authorization" not in fields:
            fields["Authorization"] = f"Bearer {token}"
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            fields.setdefault("Content-Type", "application/json")
        reused = self.connection is not None
        if not reused:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            self.connection.request(method, path, raw, fields)
            answer = self.connection.getresponse()
            result = Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            if reused and method in ("GET", "HEAD"):  # the other side may close an idle connection at any time
                return self.request(method, path, token=token, headers=headers)
            raise
        if answer.will_close:
            self.close()
        return result

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self):
        self.close()

    def get(self, path, token=None, **headers):
        return self.request("GET", path, token=token, headers=_fields(headers))

    def post(self, path, body=None, token=None, key=None, **headers):
        fields = _fields(headers)
        if key is not None:
            fields["Idempotency-Key"] = key
        return self.request("POST", path, body, token, fields)

    def delete(self, path, token=None, **headers):
        return self.request("DELETE", path, token=token, headers=_fields(headers))


def _fields(names):
    """If_None_Match="x" becomes If-None-Match: x."""
    return {name.replace("_", "-"): value for name, value in names.items()}


def exchange(port, data, timeout=12, half_close=False, host="127.0.0.1"):
    """Sends bytes as they are and returns all that comes back until the other side closes or falls silent."""
    with socket.create_connection((host, port), timeout) as s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all of it was read
        return read_all(s)


def read_all(s):
    got = b""
    try:
        while chunk := s.recv(65536):
            got += chunk
    except (socket.timeout, ConnectionResetError):
        pass
    return got


def parse_answer(data):
    """(Answer, rest) of the first answer in raw bytes; None when there is none."""
    head, split, rest = data.partition(b"\r\n\r\n")
    if not split:
        return None, data
    lines = head.decode("latin-1").split("\r\n")
    headers = http.client.HTTPMessage()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    length = int(headers.get("Content-Length") or 0)
    return Answer(int(lines[0].split()[1]), headers, rest[:length]), rest[length:]


class EventStream:
    """Server-sent events, read one by one."""

    def __init__(self, port, path, token=None, timeout=20, host="127.0.0.1", **headers):
        fields = _fields(headers)
        if token:
            fields["Authorization"] = f"Bearer {token}"
        self.answer = None
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self.connection.request("GET", path, headers=fields)
        self.answer = self.connection.getresponse()
        self.retry = None

    def next(self):
        """The next event as {event, id, data}; None at the end of the stream."""
        event = {}
        for line in self.answer:
            line = line.decode().rstrip("\n").rstrip("\r")
            if not line:
                if "data" in event:
                    event["data"] = json.loads(event["data"])
                    return event
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "retry":
                self.retry = int(value)
            elif name:
                event[name] = value
        return None

    def until(self, condition, most=1000):
        """The first event for which `condition(event)` holds."""
        for _ in range(most):
            event = self.next()
            if event is None:
                raise AssertionError("the stream ended")
            if condition(event):
                return event
        raise AssertionError(f"not among {most} events")

    def close(self):
        if self.answer is not None:
            self.answer.close()
        self.connection.close()

    __del__ = close
