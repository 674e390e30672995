"""Verifies a person with Identomat, using Python's standard library alone.

    IDENTOMAT_COMPANY_KEY=... IDENTOMAT_WIDGET_URL=... IDENTOMAT_API_URL=... python3 verify.py

It runs against "identomat sandbox", because it approves the session itself. If IDENTOMAT_SECRET_KEY is
set, it signs its requests and verifies the signatures of the responses.
"""

import base64
import hmac
import json
import os
import re
import urllib.request

WIDGET = os.environ.get("IDENTOMAT_WIDGET_URL", "https://widget.identomat.com")
API = os.environ.get("IDENTOMAT_API_URL", "https://external-api.identomat.com")
KEY = os.environ["IDENTOMAT_COMPANY_KEY"]
SECRET = os.environ.get("IDENTOMAT_SECRET_KEY", "").encode()


class IdentomatError(Exception):
    """A refusal, with the code of the service."""


def signature(body):
    code = base64.b64encode(hmac.digest(SECRET, body, "sha256")).decode()
    return f'signature="{code}"'


def post(url, parameters):
    """Returns the body of the response: JSON or a file."""
    body = json.dumps(parameters).encode()
    headers = {"Content-Type": "application/json"}
    if SECRET:
        headers["Authorization"] = signature(body)
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        received = response.read()
        signed = response.headers.get("Authorization", "")
    # Errors have status 200, and they are not signed.
    if received[:1] in (b"{", b'"'):
        answer = json.loads(received)
        if isinstance(answer, dict):
            code = answer.get("argumentError") or answer.get("internalError")
        else:
            code = answer if re.fullmatch(r"[A-Z][A-Z0-9_]*", answer) else None
        if code:
            raise IdentomatError(code)
    if SECRET and not hmac.compare_digest(signed, signature(received)):
        raise IdentomatError("the signature of the response is wrong")
    return received


def widget(path, **parameters):
    return post(f"{WIDGET}/external-api/{path}", {"company_key": KEY, **parameters})


def api(name, **parameters):
    return json.loads(post(f"{API}/{name}", {"companyKey": KEY, **parameters}))["result"]


def approve(token):
    """Approves a session of the sandbox. A person does this on the page."""
    urllib.request.urlopen(f"{WIDGET}/_sandbox/sessions/{token}/approve", b"{}", timeout=30).close()


def main():
    token = json.loads(widget(
        "begin/",
        flags={"language": "en", "skip_face": True, "skip_document": True},
        steps=[
            {"type": "identity-document", "flags": {"document_types": ["id", "passport"]}},
            {"type": "liveness", "flags": {"liveness": True}},
        ],
    ))
    print(f"send the browser to {WIDGET}/?session_token={token}")
    approve(token)

    result = json.loads(widget("result/", session_token=token))
    person = result["person"]
    print(result["result"], person["first_name"], person["last_name"])

    face = widget("result/face/", session_token=token)
    print("the face has", len(face), "bytes")

    for hit in api("search-screening-person", query={"fullName": "John Smith", "scoreThreshold": 80}):
        print("hit:", hit["score"], hit["name"], ", ".join(hit["topics"]))

    record = api("add-blacklist-record", query={"documentNumber": person["document_number"], "reason": "forged"})
    api("remove-blacklist-record", id=record)
    print("blacklisted and removed")

    widget("delete/", session_token=token)
    try:
        widget("result/", session_token=token)
    except IdentomatError as error:
        print("deleted:", error)


if __name__ == "__main__":
    main()
