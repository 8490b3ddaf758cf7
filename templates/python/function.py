def handler(event):
    """Called once per invocation; `event` is the JSON that was sent. What it returns is the answer.

    What it prints goes to the log: `cloudfunc logs function_name`.
    """
    name = event.get("name", "World")
    print(f"greeting {name}")
    return {"greeting": f"Hello {name}!"}
