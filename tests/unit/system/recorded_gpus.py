"""What the kernel shows of graphics cards, in the form of its documentation and of recordings that others published.

None of it was recorded by gglib's authors: they had no such card.
"""

from pathlib import Path

# docs.kernel.org/gpu/amdgpu; a kernel since 6.13 has the keys of all drivers beside amdgpu's own.
AMDGPU = """\
pos:\t0
flags:\t02100002
mnt_id:\t26
ino:\t648
pasid:\t32771
drm-driver:\tamdgpu
drm-client-id:\t185
drm-pdev:\t0000:11:00.0
drm-total-vram:\t5300 MiB
drm-shared-vram:\t0
drm-resident-vram:\t5242880 KiB
drm-purgeable-vram:\t0
drm-total-gtt:\t2 MiB
drm-resident-gtt:\t2 MiB
drm-memory-vram:\t5242880 KiB
drm-memory-gtt: \t2048 KiB
drm-memory-cpu: \t0 KiB
drm-engine-compute:\t123456789 ns
"""
# Linux 5.14: without the number of the client.
OLD_AMDGPU = """\
pasid:\t32771
drm-driver:\tamdgpu
drm-pdev:\t0000:11:00.0
drm-memory-vram:\t1048576 KiB
drm-memory-gtt: \t2048 KiB
"""
# docs.kernel.org/gpu/xe, "DRM client usage stats".
XE = """\
drm-driver:\txe
drm-client-id:\t3
drm-pdev:\t0000:03:00.0
drm-total-system:\t0
drm-total-gtt:\t192 KiB
drm-resident-gtt:\t192 KiB
drm-total-vram0:\t4 GiB
drm-shared-vram0:\t16 MiB
drm-active-vram0:\t0
drm-resident-vram0:\t3145728 KiB
drm-total-stolen:\t0
drm-cycles-rcs:\t28257900
drm-total-cycles-rcs:\t7655183225
"""
# An Arc card with the older driver.
I915 = """\
drm-driver:\ti915
drm-client-id:\t7
drm-pdev:\t0000:04:00.0
drm-total-local0:\t512 MiB
drm-resident-local0:\t256 MiB
drm-resident-stolen-local0:\t131072 KiB
drm-resident-system0:\t1234567
drm-engine-render:\t9876543 ns
"""
OTHER_FILE = "pos:\t0\nflags:\t02\nmnt_id:\t15\n"


def write(path: Path, text: str) -> None:
    """Write a file with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def card(root: Path, number: int, address: str, vendor: str, **files: object) -> None:
    """Write a card; the names of files have ``__`` for ``/``, relative to its ``device``."""
    device = root / f"sys/class/drm/card{number}/device"
    write(device / "vendor", f"{vendor}\n")
    write(device / "uevent", f"DRIVER=any\nPCI_CLASS=30000\nPCI_SLOT_NAME={address}\nMODALIAS=pci:v\n")
    for name, value in files.items():
        write(device / name.replace("__", "/"), f"{value}\n")


def descriptor(root: Path, pid: int, number: int, text: str, target: str = "/dev/dri/renderD128") -> None:
    """Write an open descriptor of a process."""
    directory = root / f"proc/{pid}"
    write(directory / f"fdinfo/{number}", text)
    (directory / "fd").mkdir(exist_ok=True)
    (directory / f"fd/{number}").symlink_to(target)


def kfd_node(root: Path, number: int, gpu_id: int, location: int, domain: int = 0) -> None:
    """Write a node of amdkfd's topology; the first one is the processor, with the id 0."""
    node = root / f"sys/class/kfd/kfd/topology/nodes/{number}"
    write(node / "gpu_id", f"{gpu_id}\n")
    write(node / "properties", f"cpu_cores_count 0\nsimd_count 80\nlocation_id {location}\ndomain {domain}\n")


def kfd_process(root: Path, pid: int, gpu_id: int, size_bytes: int) -> None:
    """Write what a process has on a GPU."""
    write(root / f"sys/class/kfd/kfd/proc/{pid}/vram_{gpu_id}", f"{size_bytes}\n")
