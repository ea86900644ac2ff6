# Loads a part handler and answers each line on standard input with one line: JSON both ways.
import base64
import importlib.util
import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
# What the handler prints belongs into the log.
os.dup2(2, 1)


def load(path):
    spec = importlib.util.spec_from_file_location("part_handler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handle(module, question):
    own = getattr(module, "frequency", "once-per-instance")
    now = question["frequency"]
    if own != "always" and not (own == now == "once-per-instance"):
        return False
    payload = question["payload"]
    if payload is not None:
        payload = base64.b64decode(payload)
        try:
            payload = payload.decode("utf-8")
        except UnicodeDecodeError:
            pass
    words = ["", question["ctype"], question["filename"], payload]
    version = getattr(module, "handler_version", 1)
    if version >= 2:
        words.append(now)
    if version >= 3:
        words.append(question["headers"])
    module.handle_part(*words)
    return True


module = load(sys.argv[1])
for line in sys.stdin:
    question = json.loads(line)
    answer = {}
    try:
        if question["do"] == "types":
            answer["types"] = [str(name) for name in module.list_types()]
        else:
            answer["called"] = handle(module, question)
    except Exception as error:
        answer["error"] = "%s: %s" % (type(error).__name__, error)
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
