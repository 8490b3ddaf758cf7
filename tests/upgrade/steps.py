"""The function that the recorded platforms run. Its event says how long it takes and how it ends."""

import os
import time

REVISION = 0


def handler(event):
    print("ran", event["token"], "revision", REVISION)
    # A wall-clock moment: what is run again after the recording does not wait.
    while time.time() < event.get("until", 0):
        time.sleep(0.05)
    how = event.get("how", "json")
    if how == "raise":
        raise ValueError("no to " + event["token"])
    if how == "exit":
        os._exit(3)
    if how == "hang":
        time.sleep(3600)
    if how == "text":
        return "token " + event["token"]
    if how == "bytes":
        return bytes([0, 255, 10]) + event["token"].encode()
    return {"token": event["token"], "variable": os.environ.get("RECORDED")}
