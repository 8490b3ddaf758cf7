from flask import Flask, request

app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def greet():
    """Called for `cloudfunc invoke function_name`, which sends POST / unless it is told otherwise."""
    event = request.get_json(silent=True) or {}
    name = event.get("name", "World")
    # What it prints goes to the log: `cloudfunc logs function_name`.
    print(f"greeting {name}")
    return {"greeting": f"Hello {name}!"}


@app.get("/health")
def health():
    """Called for `cloudfunc invoke function_name --method GET --path /health`."""
    return {"status": "ok"}
