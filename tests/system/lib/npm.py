"""The installed npm, unmodified."""

import json
import os
import select
import subprocess
import time


class Npm:
    """npm with a home of its own: nothing of the machine's configuration is seen."""

    def __init__(self, home, port, bearer):
        home.mkdir()
        self._live_in(home)
        self.registry = f"http://127.0.0.1:{port}/npm/"
        config = [f"registry={self.registry}", "fund=false", "update-notifier=false",
                  "fetch-retries=0", "loglevel=warn"]
        if bearer:
            config.append(f"//127.0.0.1:{port}/npm/:_authToken={bearer}")
        (self.home / "npmrc").write_text("\n".join(config) + "\n")

    @classmethod
    def at(cls, home):
        """The one whose home that is."""
        npm = cls.__new__(cls)
        npm._live_in(home)
        return npm

    def _live_in(self, home):
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home),
                    "npm_config_userconfig": str(self.home / "npmrc"),
                    "npm_config_globalconfig": str(self.home / "none"),
                    "npm_config_cache": str(self.home / "cache")}

    def __call__(self, folder, *arguments, fails=False):
        done = subprocess.run(["npm", *arguments], cwd=folder, env=self.env, capture_output=True,
                              text=True, timeout=120)
        assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
        return done.stdout if not fails else done.stdout + done.stderr

    def talk(self, folder, *arguments, answers, fails=False):
        """On a terminal: each of the answers [(prompt, line)] is typed when npm asks for it."""
        ours, theirs = os.openpty()
        child = subprocess.Popen(["npm", *arguments], cwd=folder, env=self.env, stdin=theirs, stdout=theirs,
                                 stderr=theirs, start_new_session=True)
        os.close(theirs)
        said, answers, end = b"", list(answers), time.monotonic() + 120
        while select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the terminal is closed: npm has ended
                break
            said += piece
            if answers and answers[0][0].encode() in said.split(b"\n")[-1]:
                os.write(ours, answers.pop(0)[1].encode() + b"\n")
        os.close(ours)
        code = child.wait(timeout=max(1, end - time.monotonic()))
        assert (code != 0) == fails, (arguments, said)
        return said.decode()


def package(folder, name, version, **more):
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"name": name, "version": version, "description": f"{name} for tests", **more}
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "index.js").write_text(f"module.exports = '{name} {version}';\n")
    (folder / "README.md").write_text(f"# {name}\n")
    return folder
