"""The same service with nothing of ours: Python's standard library, and openssl for one signature.

It verifies nothing itself. It sends the token and the proof along, and the broker checks both as it
spends the credential. So it must not act before it has heard a 200.
"""
import base64, hashlib, json, os, subprocess, time, urllib.error, urllib.request, uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

BROKER, KEY, TOOL = os.environ["BROKER"], os.environ["SERVICE_KEY_FILE"], "payments.refund"

# Whatever else the broker says is between it and this service.
REFUSED = {"already_redeemed": 401, "credential_gone": 401, "not_found": 401}
REFUSED |= {"invalid_dpop_proof": 401, "args_mismatch": 403}


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def canonical(value):
    """RFC 8785 for what a refund has in it: text, whole numbers, and names in ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def raw(der):
    """ECDSA's two numbers out of the DER that openssl writes, 32 octets each."""
    r = der[4 : 4 + der[3]]
    s = der[6 + der[3] :]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (r, s))


def assertion():
    now = int(time.time())
    claims = {"iss": "payments-api", "sub": "payments-api", "aud": BROKER}
    claims |= {"iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
    header = {"alg": "ES256", "typ": "client-authentication+jwt"}
    signed = f"{b64(canonical(header))}.{b64(canonical(claims))}"
    command = ["openssl", "dgst", "-sha256", "-sign", KEY]
    der = subprocess.run(command, input=signed.encode(), stdout=subprocess.PIPE, check=True).stdout
    return f"{signed}.{b64(raw(der))}"


class Payments(BaseHTTPRequestHandler):
    def do_POST(self):
        args = json.loads(self.rfile.read(int(self.headers["content-length"])))
        _, _, token = self.headers.get("authorization", "").partition(" ")
        proofs = self.headers.get_all("dpop") or [""]
        spending = {
            "token": token,
            "tool": TOOL,
            "args_hash": b64(hashlib.sha256(canonical(args)).digest()),
            "dpop": {"proof": ",".join(proofs), "htm": "POST", "htu": ORIGIN + self.path},
        }
        status, told = redeem(spending)
        if status == 200:
            told = {"refunded": args["amount"], "order": args["order_id"], "decision": told["decision_id"]}
        else:
            told = {"reason": told.get("code")}
            status = REFUSED.get(told["reason"], 503)
        self.answer(status, told)

    def answer(self, status, told):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if status == 401:
            self.send_header("www-authenticate", 'DPoP error="invalid_token", algs="ES256 Ed25519"')
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_):
        pass


def redeem(spending):
    headers = {"authorization": f"Bearer {assertion()}", "content-type": "application/json"}
    headers["idempotency-key"] = str(uuid.uuid4())
    request = urllib.request.Request(f"{BROKER}/v1/redemptions", canonical(spending), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


SERVER = HTTPServer(("127.0.0.1", 0), Payments)
ORIGIN = f"http://127.0.0.1:{SERVER.server_port}"
print(ORIGIN, flush=True)
SERVER.serve_forever()
