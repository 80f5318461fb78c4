"""Of what `llvm-cov export` has counted: a JSON line a folder, then every condition that was never true or never false.

    report.py counts.json FOLDER...

A condition that the compiler knows the answer of (`while (true)`) is none. One that was instantiated several times is
covered when its instances together are.
"""
import json
import os
import sys


def conditions_of(file):
    """{(line, column, end line, end column): [times true, times false]}"""
    counts = {}
    for line, column, end_line, end_column, true, false, *_ in file["branches"]:
        count = counts.setdefault((line, column, end_line, end_column), [0, 0])
        count[0] += true
        count[1] += false
    return counts


def text_at(lines, place):
    line, column, end_line, end_column = place
    if line == end_line:
        return lines[line - 1][column - 1:end_column - 1]
    return lines[line - 1][column - 1:].rstrip() + " …"


def main():
    with open(sys.argv[1], encoding="utf-8") as counts:
        files = json.load(counts)["data"][0]["files"]
    details = []
    for folder in sys.argv[2:]:
        inside = os.path.abspath(folder) + os.sep
        total = taken = lines = lines_covered = 0
        for file in sorted(files, key=lambda one: one["filename"]):
            name = os.path.abspath(file["filename"])
            if not name.startswith(inside):
                continue
            with open(name, encoding="utf-8") as source:
                text = source.read().splitlines()
            lines += file["summary"]["lines"]["count"]
            lines_covered += file["summary"]["lines"]["covered"]
            for place, (true, false) in sorted(conditions_of(file).items()):
                words = text_at(text, place)
                if words in ("true", "false"):
                    continue
                total += 2
                taken += (true > 0) + (false > 0)
                if true and false:
                    continue
                never = "reached" if not true and not false else "true" if not true else "false"
                details.append(f"{os.path.relpath(name)}:{place[0]}:{place[1]}: never {never}: {words}")
        print(json.dumps({
            "row": "coverage", "folder": folder,
            "branch_percent": round(100 * taken / total, 1) if total else 100.0, "branches": total,
            "branches_taken": taken, "line_percent": round(100 * lines_covered / lines, 1) if lines else 100.0}))
    for detail in details:
        print(detail)


main()
