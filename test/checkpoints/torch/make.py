# The files beside this script. Every value is small and exact in its type; torch.test.ts repeats them.
import argparse
import collections
import numpy
import torch

def ramp(*shape, dtype=torch.float32, start=0):
    count = int(numpy.prod(shape))
    return (torch.arange(count) + start).to(dtype).reshape(shape)

types = dict(
    F32=torch.float32, F16=torch.float16, BF16=torch.bfloat16, F64=torch.float64, I64=torch.int64, I32=torch.int32,
    I16=torch.int16, I8=torch.int8, U8=torch.uint8, BOOL=torch.bool,
)
all_types = collections.OrderedDict((name, ramp(2, 3, dtype=dtype)) for name, dtype in types.items())
for protocol in (2, 3, 4, 5):
    torch.save(all_types, f'types-{protocol}.pth', pickle_protocol=protocol)

# One storage of 24 numbers, seen in five ways, all of them row-major; and what is easy to get wrong about shapes.
base = ramp(4, 6)
views = collections.OrderedDict(
    base=base, tied=base, rows=base[1:3], row=base[3], one=base[2, 5], column=base[1:2, :],
    expanded=torch.full((1,), 7.0).expand(1), empty=torch.empty(0, 5), scalar=torch.tensor(2.5),
    parameter=torch.nn.Parameter(ramp(2, 2, start=100)),
)
torch.save(views, 'views.pth')
torch.save(views, 'views-legacy.pth', _use_new_zipfile_serialization=False)
torch.save(views, 'views-legacy-4.pth', _use_new_zipfile_serialization=False, pickle_protocol=4)
torch.save({'straight': base, 'turned.weight': base.t()}, 'transposed.pth')

# A training checkpoint: a module's own state dict (with _metadata), Adam's state, arguments, a log with numbers of NumPy.
module = torch.nn.Linear(3, 2)
with torch.no_grad():
    module.weight.copy_(ramp(2, 3))
    module.bias.copy_(ramp(2, start=10))
optimizer = torch.optim.Adam(module.parameters())
module(torch.ones(1, 3)).sum().backward()
state = module.state_dict()
torch.save({
    'model': collections.OrderedDict((name, value.clone()) for name, value in state.items()), 'optimizer': optimizer.state_dict(),
    'epoch': 3, 'lr': 1e-4, 'seed': 2**70, 'done': False, 'best': None, 'loss': numpy.float64(0.5), 'history': numpy.arange(4),
    'args': argparse.Namespace(lr=1e-4, device=torch.device('cpu')), 'size': torch.Size([2, 3]), 'bytes': b'abc', 'log': [1.5, (1, 2)],
}, 'training.pth')
torch.save({'meta': {'epoch': 1}, 'state_dict': state}, 'meta.pth')
torch.save(torch.nn.Sequential(module), 'module.pth')
