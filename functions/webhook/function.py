"""Takes webhooks that are signed as GitHub signs them: an HMAC of the raw body, in a header, proves that the sender knows
the secret. Without it the answer is 401.

    printf %s 'change me' | cloudfunc secret set WEBHOOK_SECRET   # GitHub's field "Secret" has the same
    cloudfunc deploy functions/webhook
    BODY='{"action": "opened", "number": 7}'
    SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac 'change me' -r | cut -d' ' -f1)
    curl -i http://127.0.0.1:8000/hooks/github -d "$BODY" \
      -H 'Content-Type: application/json' -H "X-Hub-Signature-256: sha256=$SIGNATURE"
"""

import base64
import hashlib
import hmac
import json
import os

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def handler(event):
    body = event.get("body", "")
    # Signs the bytes as they were sent: JSON that is parsed and written again may differ.
    raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    expected = "sha256=" + hmac.new(SECRET, raw, hashlib.sha256).hexdigest()
    signature = event["headers"].get("x-hub-signature-256", "")
    # Takes the same time wherever they differ, so that nobody can guess the signature byte by byte.
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        problem = "the signature in X-Hub-Signature-256 is not that of the body\n"
        return {"statusCode": 401, "headers": {"content-type": "text/plain"}, "body": problem}
    delivery = json.loads(raw)
    print(f"{delivery.get('action')}: number {delivery.get('number')}")
    return {"statusCode": 204}
