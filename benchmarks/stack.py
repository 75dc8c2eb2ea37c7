"""The Compose stack: how soon it answers, from nothing built and warm; its images, and what makes them large.

Run it as `python benchmarks/stack.py --forget` to measure from nothing built: that empties the builder's cache on this
machine, other projects' too, but for what pip and apt fetched. Without --forget it takes what is built already.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.stack.stack import PROJECT, Stack, copy_of_the_repository, stack_in

IMAGES = tuple(f"{PROJECT}-{service}" for service in ("api", "mlflow", "research"))
BUILT = ("regular", "source.local", "frontend")  # kinds of the builder's records, all but exec.cachemount
LARGEST = 10


def docker(*command: str) -> str:
    """What a docker command prints."""
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=True).stdout


def forget_builds() -> None:
    """Remove all build steps, of other projects too; what pip and apt fetched stays in the cache mounts."""
    for kind in BUILT:
        docker("builder", "prune", "--all", "--force", "--filter", f"type={kind}")


def megabytes(image: str) -> str:
    """The image's size, unpacked."""
    return f"{int(docker('image', 'inspect', image, '--format', '{{.Size}}')) / 1e6:.0f} MB"


def largest_packages(stack: Stack) -> list[tuple[str, float]]:
    """The API image's largest packages, MB by the files they list; their bytecode is not among them."""
    code = (
        "from importlib.metadata import distributions\n"
        "for d in distributions():\n"
        "    size = sum(f.locate().stat().st_size for f in d.files or [] if f.locate().is_file())\n"
        "    print(size / 1e6, d.name, d.version, sep='\\t')\n"
    )
    rows = [line.split("\t") for line in stack.exec("api", "python", "-c", code).splitlines()]
    return sorted(((f"{name} {version}", float(size)) for size, name, version in rows), key=lambda row: -row[1])[
        :LARGEST
    ]


def import_seconds(stack: Stack, module: str) -> float:
    """The fastest of five imports, each in a process of its own."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return min(float(stack.exec("api", "python", "-c", code)) for _ in range(5))


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        stack = stack_in(copy_of_the_repository(Path(folder) / "labline"))
        try:
            stack.run("down", "--volumes", "--remove-orphans")
            if "--forget" in sys.argv:
                forget_builds()
            stack.up("from nothing built, packages cached" if "--forget" in sys.argv else "first")
            stack.run("down")
            stack.up("warm: down, then up --build --wait")
            print(f"{os.cpu_count()} cores; stack up and the first prediction answered")
            for name, seconds in stack.seconds.items():
                print(f"  {name:<40} {seconds:6.0f} s")
            print("images, unpacked")
            for image in IMAGES:
                print(f"  {image:<40} {megabytes(image):>9}")
            print("in the API's image")
            for module in ("labline", "labline.api"):
                print(f"  {'import ' + module:<40} {import_seconds(stack, module):7.2f} s")
            for name, size in largest_packages(stack):
                print(f"  {name:<40} {size:6.0f} MB")
            time.sleep(5)  # the rush of the start over
            print("memory, at rest")
            for line in docker("stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}").splitlines():
                name, used = line.split("\t")
                print(f"  {name:<40} {used.split(' / ')[0]:>9}")
        finally:
            stack.run("down", "--volumes", "--rmi", "local", check=False)


if __name__ == "__main__":
    main()
