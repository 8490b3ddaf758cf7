"""Takes a webhook that is signed as GitHub signs them: an HMAC of the raw body, in a header. The platform asks for its
token, too, which whatever passes webhooks on to it has to add. A wrong signature is answered 500 `function_failed`.

    # URL and TOKEN as in docs/http-api.md; the secret is that of cloudfunc.toml.
    WEBHOOK_SECRET="change me"
    BODY='{"action": "opened", "number": 7}'
    SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" -r | cut -d' ' -f1)
    curl $URL/v1/functions/webhook/invoke -H "Authorization: Bearer $TOKEN" -d "$BODY" \
      -H 'Content-Type: application/json' -H "X-Hub-Signature-256: sha256=$SIGNATURE"
"""

import hashlib
import hmac
import os

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def handler(event, context):
    # Signs the bytes as they were sent: JSON that is parsed and written again may differ.
    expected = "sha256=" + hmac.new(SECRET, context.body, hashlib.sha256).hexdigest()
    signature = context.headers.get("x-hub-signature-256", "")
    # Takes the same time wherever they differ, so that nobody can guess the signature byte by byte.
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise PermissionError("the signature in X-Hub-Signature-256 is not that of the body")
    print(f"{event.get('action')}: number {event.get('number')}")
    return {"action": event.get("action"), "number": event.get("number")}
