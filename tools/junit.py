"""Sums JUnit files of ctest and pytest: junit.py FILE...

Prints each failed test with the end of its output, then as the last line "<passed> <failed>".
Skipped tests count as neither; they are named. Exit 1 when a file is missing or is no JUnit.
"""
import sys
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES = 40


def name_of(case):
    return "/".join(part for part in (case.get("classname"), case.get("name")) if part)


def judge(case):
    """passed, failed or skipped; ctest says status="fail", pytest nests <failure> or <error>.
    A test program that was not built is no skipped test."""
    if case.get("status") == "fail" or case.find("failure") is not None:
        return "failed"
    if case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is not None and "Unable to find" in (skipped.get("message") or ""):
        return "failed"
    if skipped is not None or case.get("status") in ("disabled", "notrun"):
        return "skipped"
    return "passed"


def show_failure(case):
    print("FAILED", name_of(case))
    texts = [node.text for tag in ("failure", "error", "system-out") for node in case.iter(tag)]
    lines = "\n".join(text for text in texts if text).splitlines()
    for line in lines[-OUTPUT_LINES:]:
        print("   ", line)


def main(files):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for file in files:
        try:
            root = ElementTree.parse(file).getroot()
        except (OSError, ElementTree.ParseError) as error:
            print(f"{file}: {error}")
            return 1
        for case in root.iter("testcase"):
            verdict = judge(case)
            counts[verdict] += 1
            if verdict == "failed":
                show_failure(case)
            elif verdict == "skipped":
                node = case.find("skipped")
                reason = node.get("message") if node is not None else ""
                print("skipped", name_of(case), reason)
    print(counts["passed"], counts["failed"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
