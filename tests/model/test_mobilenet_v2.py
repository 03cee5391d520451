import subprocess
import sys

import torch
import torchvision

from sketchy.model.mobilenet_v2 import MobileNetV2


def test_a_seed_gives_the_weights_that_torchvision_draws():
    torch.manual_seed(3)
    ours = MobileNetV2().state_dict()
    torch.manual_seed(3)
    theirs = torchvision.models.mobilenet_v2().state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_it_computes_and_learns_as_torchvisions():
    theirs = torchvision.models.mobilenet_v2()
    ours = MobileNetV2()
    ours.load_state_dict(theirs.state_dict())
    pixels = torch.rand(2, 3, 64, 64)
    for network in (ours, theirs):
        network.train()
        torch.manual_seed(5)  # of dropout
        network(pixels).square().mean().backward()
    for (name, own), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, msg=name)
    torch.testing.assert_close(ours.eval()(pixels), theirs.eval()(pixels))


def test_the_model_of_the_package_is_built_without_torchvision():
    code = (
        "import sys; from sketchy.inference.bundled import BUNDLED; "
        "from sketchy.inference.torch_engine import read_checkpoint; "
        "read_checkpoint(BUNDLED).encoder(); print('torchvision' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
