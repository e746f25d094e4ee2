"""A simulated CUDA device, for tests of code that runs on a GPU, on machines without one.

Inside of `simulated_cuda`, tensors that are moved to ``cuda`` are `GPUTensor`s. They say that they are on ``cuda:0``, a
CPU computes with them, and what is an error on a GPU is one here:

- operators whose tensors are on two devices, with CUDA's own exceptions: a single number on the CPU may take part in an
  elementwise operator, and indices on the CPU may index a tensor on the GPU;
- a generator that belongs to another device than what is drawn;
- ``.numpy()``, and all that calls it, of a tensor on the GPU;
- a file of tensors of the GPU that is loaded, without the simulation, to where it was saved from.

`Counts` tells what the GPU was asked to do, and how often the program waited for it.

What the simulation cannot find: faults that depend on time (streams, copies that have not ended), on memory or on more
than one GPU; other results, because a GPU rounds and adds up otherwise, or in an order that changes; faults in CUDA's
and cuDNN's own operators, in compilation (it is off), and in custom kernels. Autocast casts by the CPU's list of
operators, which differs a little from CUDA's. Random numbers are the CPU's. Operators that torch puts together in C++
are seen as the parts that they have on a CPU. Where the gradients of several layers meet, torch adds those of a
`GPUTensor` in another memory format than a CPU's, after which some networks round otherwise. Inference mode only
switches gradients off.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import pytest
import torch
from torch.nn.parameter import Parameter
from torch.optim import optimizer
from torch.utils import _foreach_utils
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

GPU = torch.device("cuda", 0)
NAME = "simulated GPU"
MEMORY_BYTES, PEAK_BYTES = 24 * 2**30, 3 * 2**30
CUDNN = 91002

FACTORIES = ("arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm", "zeros")
FROM_DATA = ("as_tensor", "tensor")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index")
WAITING = (
    *("aten::nonzero", "aten::masked_select", "aten::bincount", "aten::equal", "aten::repeat_interleave"),
    *("aten::_unique2", "aten::unique_dim", "aten::unique_consecutive"),
)
"""Operators whose result has a size, or a value, that the program must know before it goes on."""
NO_WORK = (
    "aten::empty",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::new_empty",
    "aten::new_empty_strided",
    "aten::detach",
)


@dataclass
class Counts:
    """What happened on the GPU since the simulation began, or since `since` was asked.

    Attributes
    ----------
    operators : int
        Calls of torch's operators that work on the GPU, each of which starts one or a few kernels. Views, and memory
        that is only reserved, need none.
    to_gpu, to_gpu_unpinned, to_cpu : int
        Copies to the GPU; those of them that come from memory that is not pinned; and copies to the CPU.
    waits : int
        How often the program waited until the GPU had done all of its work.
    """

    operators: int = 0
    to_gpu: int = 0
    to_gpu_unpinned: int = 0
    to_cpu: int = 0
    waits: int = 0

    def since(self, earlier: "Counts") -> "Counts":
        """What happened after `earlier`, a copy of these counts."""
        return Counts(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})


class GPUTensor(torch.Tensor):
    """A tensor on the simulated GPU; `held` is the tensor on the CPU that holds its values."""

    held: torch.Tensor
    counts = Counts()
    is_cuda, is_cpu = True, False
    device = property(lambda self: GPU)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "GPUTensor":
        size, strides = held.shape, held.stride()
        offset = held.storage_offset()
        wrapper = cls._make_wrapper_subclass(cls, size, strides=strides, storage_offset=offset, dtype=held.dtype)
        wrapper.held = held
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, operator: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return compute(operator, args, kwargs or {})

    # With these two, modules exchange their parameters for others of this class and keep their identity.
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @classmethod
    def __tensor_unflatten__(cls, tensors: dict, *_: object) -> "GPUTensor":
        return cls(tensors["held"])

    def __repr__(self, **_: object) -> str:
        return f"{self.held!r} on {GPU}"

    def get_device(self) -> int:
        return GPU.index

    def numpy(self, **_: object) -> None:
        raise TypeError(
            f"can't convert {GPU} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def pin_memory(self, *_: object) -> None:
        raise RuntimeError("only dense CPU tensors can be pinned")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A file says where its tensors were saved from."""
        copied = self.detach().cpu()
        copied.untyped_storage().saved_from = str(GPU)
        return copied.__reduce_ex__(protocol)


class Generator(torch.Generator):
    """A generator that belongs to the CPU or to the simulated GPU, and draws the CPU's numbers."""

    made: ClassVar = WeakValueDictionary()
    """All that exist by their address in C++, because an operator is given a generator as another Python object."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        generator = super().__new__(cls)
        generator.owner = torch.device(device)
        cls.made[generator._cdata] = generator
        return generator

    device = property(lambda self: self.owner)


def compute(operator: Any, args: tuple, kwargs: dict) -> Any:
    """Let the CPU do what an operator with at least one tensor on the GPU would do there."""
    counts, name = GPUTensor.counts, operator.name().partition(".")[0]
    if name == "aten::copy_":
        return copy_into(*args, **kwargs)
    if name == "aten::detach":  # the most frequent call: each look at a network's state makes one per tensor
        return GPUTensor(args[0].held.detach())
    leaves, structure = tree_flatten((args, kwargs))
    indices = [index for index in args[1] if index is not None] if name in INDEXING else []
    for leaf in leaves:
        if isinstance(leaf, torch._C.Generator):
            check_generator(Generator.made.get(leaf._cdata, leaf), GPU)
        elif isinstance(leaf, torch.Tensor) and not isinstance(leaf, GPUTensor):
            if isinstance(args[0], GPUTensor) and any(leaf is index for index in indices):
                count_copy_to_gpu(leaf, non_blocking=False)
            elif leaf.dim() or torch.Tag.pointwise not in operator.tags:
                raise RuntimeError(
                    f"{operator}: Expected all tensors to be on the same device, but found at least two devices, {GPU} "
                    "and cpu!"
                )
    if name == "aten::_local_scalar_dense":
        counts.to_cpu += 1
        counts.waits += 1
    elif not operator.is_view and name not in NO_WORK:
        counts.operators += 1
        counts.waits += name in WAITING or any(index.dtype in (torch.bool, torch.uint8) for index in indices)
    on_cpu, options = tree_unflatten([held(leaf) for leaf in leaves], structure)
    result = operator(*on_cpu, **{key: value for key, value in options.items() if key != "device"})
    # An operator that changes a tensor returns that same tensor.
    changed = {id(leaf.held): leaf for leaf in leaves if isinstance(leaf, GPUTensor)}
    return tree_map_only(
        torch.Tensor, lambda made: changed[id(made)] if id(made) in changed else GPUTensor(made), result
    )


def held(value: Any) -> Any:
    """The tensor on the CPU in place of one on the GPU, and everything else as it is."""
    return value.held if isinstance(value, GPUTensor) else value


def copy_into(to: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """``to.copy_(source)``, from device to device or within the GPU."""
    if not isinstance(source, GPUTensor):
        count_copy_to_gpu(source, non_blocking)
    elif not isinstance(to, GPUTensor):
        count_copy_to_cpu(non_blocking)
    else:
        GPUTensor.counts.operators += 1
    held(to).copy_(held(source))
    return to


def count_copy_to_gpu(source: torch.Tensor, non_blocking: bool) -> None:
    """Note a copy to the GPU; the program waits for its end unless it comes from pinned memory and need not wait."""
    pinned = source.is_pinned()
    GPUTensor.counts.to_gpu += 1
    GPUTensor.counts.to_gpu_unpinned += not pinned
    GPUTensor.counts.waits += not (pinned and non_blocking)


def count_copy_to_cpu(non_blocking: bool) -> None:
    """Note a copy to the CPU, for whose end the program waits."""
    if non_blocking:
        raise RuntimeError("a copy to the CPU that nothing waits for is read before it has ended")
    GPUTensor.counts.to_cpu += 1
    GPUTensor.counts.waits += 1


def check_generator(generator: torch.Generator, device: torch.device) -> None:
    """Raise CUDA's error if a generator belongs to another device."""
    if generator.device.type != device.type:
        raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'")


def _to(original: Callable) -> Callable:
    """``Tensor.to`` of tensors on the CPU and on the simulated GPU."""

    def to(tensor: torch.Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> torch.Tensor:
        if args and isinstance(args[0], torch.Tensor):
            device, dtype, rest = args[0].device, args[0].dtype, torch._C._nn._parse_to("cpu", *args[1:], **kwargs)[2:]
        else:
            device, dtype, *rest = torch._C._nn._parse_to(*args, **kwargs)
        non_blocking, memory_format = rest
        form = {"memory_format": memory_format} if memory_format else {}
        if device and device.type != tensor.device.type and "meta" not in (device.type, tensor.device.type):
            if tensor.requires_grad and torch.is_grad_enabled():
                raise NotImplementedError("the simulation has no gradient of a copy between devices")
            tensor, copy = _transferred(tensor, non_blocking), False
            device = tensor.device
        same = {} if isinstance(tensor, GPUTensor) or device is None else {"device": device}
        return original(tensor, dtype=dtype or tensor.dtype, copy=copy, **same, **form)

    return to


def _transferred(tensor: torch.Tensor, non_blocking: bool) -> torch.Tensor:
    if isinstance(tensor, GPUTensor):
        count_copy_to_cpu(non_blocking)
        return tensor.held.detach().clone()
    count_copy_to_gpu(tensor, non_blocking)
    return GPUTensor(tensor.detach().clone())


def _placed(original: Callable, from_data: bool) -> Callable:
    """A function of torch that makes a tensor, on the device that it is asked for."""

    def make(*args: Any, device: Any = None, generator: Any = None, **kwargs: Any) -> torch.Tensor:
        device = device if device is None else torch.device(device)
        drawn_by = {} if generator is None else {"generator": generator}
        if generator is not None:
            check_generator(generator, device or torch.device("cpu"))
        if device is None or device.type != GPU.type:
            return original(*args, device=device, **drawn_by, **kwargs)
        made = original(*args, device="cpu", **drawn_by, **{**kwargs, "requires_grad": False})
        if from_data:
            count_copy_to_gpu(made, non_blocking=False)
        elif original is not torch.empty:
            GPUTensor.counts.operators += 1
        return GPUTensor(made).requires_grad_(kwargs.get("requires_grad", False))

    return make


def _pinned(tensor: torch.Tensor, *_: object) -> torch.Tensor:
    if tensor.is_pinned():
        return tensor
    copied = tensor.clone()
    copied.untyped_storage().pinned = True
    return copied


def _is_pinned(tensor: torch.Tensor, *_: object) -> bool:
    return getattr(tensor.untyped_storage(), "pinned", False)


def _load(original: Callable) -> Callable:
    """``torch.load``; without a `map_location`, tensors go to where they were saved from."""

    def load(file: Any, map_location: Any = None, **kwargs: Any) -> Any:
        if map_location is not None and torch.device(map_location).type != GPU.type:
            return original(file, map_location=map_location, **kwargs)

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            on_gpu = map_location is not None or tensor.untyped_storage().saved_from == str(GPU)
            return tensor.to(GPU) if on_gpu else tensor

        return tree_map_only(torch.Tensor, moved, original(file, map_location=_noted, **kwargs))

    return load


def _noted(storage: Any, location: str) -> Any:
    storage.saved_from = location
    return storage


def _by_device(original: Callable) -> Callable:
    """How optimisers group their tensors, by the devices that these say they are on."""

    def group(tensors: list[list], with_indices: bool = False) -> dict:
        groups = original(tensors, with_indices)
        return {(lists[0][0].device, dtype): (lists, rest) for (_, dtype), (lists, rest) in groups.items()}

    return group


def _location(original: Callable) -> Callable:
    return lambda storage: getattr(storage, "saved_from", None) or original(storage)


def _autocast(original: Callable) -> Callable:
    def init(self: Any, device_type: str, dtype: Any = None, **kwargs: Any) -> None:
        on_gpu = device_type == GPU.type
        original(self, "cpu" if on_gpu else device_type, dtype or (torch.float16 if on_gpu else None), **kwargs)

    return init


def _without_gradients(mode: Any) -> None:
    mode.had_gradients = torch.is_grad_enabled()
    torch.set_grad_enabled(False)


def _with_gradients_as_before(mode: Any, *_: object) -> None:
    torch.set_grad_enabled(mode.had_gradients)


def _waited() -> None:
    GPUTensor.counts.waits += 1


@contextlib.contextmanager
def simulated_cuda() -> Iterator[Counts]:
    """Let torch find a GPU while the body runs; yields the counts of what it does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GPUTensor, "counts", Counts())
        patch.setenv("nnUNet_compile", "false")
        for name, value in {
            "is_available": True,
            "device_count": 1,
            "current_device": 0,
            "get_device_name": NAME,
            "is_bf16_supported": True,
            "mem_get_info": (MEMORY_BYTES, MEMORY_BYTES),
            "max_memory_allocated": PEAK_BYTES,
            "empty_cache": None,
        }.items():
            patch.setattr(torch.cuda, name, lambda *_, value=value, **__: value)
        patch.setattr(torch.cuda, "synchronize", lambda *_: _waited())
        patch.setattr(torch.accelerator, "is_available", lambda: True)
        patch.setattr(torch.accelerator, "current_accelerator", lambda *_, **__: torch.device(GPU.type))
        patch.setattr(torch.accelerator, "current_device_index", lambda: GPU.index)
        patch.setattr(torch.accelerator, "set_device_index", lambda *_: None)
        patch.setattr(torch.backends.cudnn, "version", lambda: CUDNN)
        patch.setattr(torch.accelerator, "current_stream", lambda *_: SimpleNamespace(is_capturing=lambda: False))
        to = _to(torch.Tensor.to)
        patch.setattr(torch.Tensor, "to", to)
        patch.setattr(torch.Tensor, "cpu", lambda tensor, **kwargs: to(tensor, "cpu", **kwargs))
        patch.setattr(torch.Tensor, "cuda", lambda tensor, *_, **kwargs: to(tensor, GPU, **kwargs))
        patch.setattr(torch.Tensor, "pin_memory", _pinned)
        patch.setattr(torch.Tensor, "is_pinned", _is_pinned)
        for name in (*FACTORIES, *FROM_DATA):
            patch.setattr(torch, name, _placed(getattr(torch, name), name in FROM_DATA))
        patch.setattr(torch, "Generator", Generator)
        patch.setattr(torch, "load", _load(torch.load))
        patch.setattr(torch.serialization, "location_tag", _location(torch.serialization.location_tag))
        # Torch makes no views of wrapped tensors in inference mode.
        patch.setattr(torch.inference_mode, "__enter__", _without_gradients)
        patch.setattr(torch.inference_mode, "__exit__", _with_gradients_as_before)
        patch.setattr(torch.autocast, "__init__", _autocast(torch.autocast.__init__))
        grouped = _by_device(torch._C._group_tensors_by_device_and_dtype)
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", grouped)
        for module in (_foreach_utils, optimizer):
            patch.setattr(module, "_foreach_supported_types", [torch.Tensor, Parameter, GPUTensor])
        yield GPUTensor.counts
