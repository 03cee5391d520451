import torch

from sketchy.choices import InfoNCEConfig, TermsConfig
from sketchy.loss import build_objective
from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.objective import Labels, Objective, Term
from sketchy.loss.triplet import TripletLoss

SKETCH, PHOTO = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).unbind()
CATEGORY = torch.tensor([0, 0, 1, 1, 2, 2])
SKETCHES = Labels(CATEGORY, torch.tensor([10, -1, 12, 12, -1, 15]))
PHOTOS = Labels(CATEGORY, torch.tensor([10, 11, 12, 13, 14, 15]))


def infonce() -> InfoNCELoss:
    return InfoNCELoss(0.2, learn=False)


def test_without_terms_it_is_the_main_loss():
    main = TripletLoss(0.3, "batch-hard", torch.Generator())
    found = Objective(main, {})(SKETCH, PHOTO, SKETCHES, PHOTOS)
    expected = main(EmbeddedBatch(SKETCH, PHOTO, CATEGORY, CATEGORY))
    assert torch.equal(found.loss, expected.loss)
    assert found.stats == expected.stats


def test_terms_are_weighted_and_see_their_own_labels():
    terms = {"more": Term(0.5, infonce(), "category"), "which": Term(2.0, infonce(), "instance")}
    found = Objective(infonce(), terms)(SKETCH, PHOTO, SKETCHES, PHOTOS)
    by_category = infonce()(EmbeddedBatch(SKETCH, PHOTO, CATEGORY, CATEGORY)).loss
    by_instance = infonce()(EmbeddedBatch(SKETCH, PHOTO, SKETCHES.instance, PHOTOS.instance)).loss
    torch.testing.assert_close(found.loss, 1.5 * by_category + 2 * by_instance)
    torch.testing.assert_close(found.stats["which_loss"], by_instance)
    assert "which_positive_distance" in found.stats
    assert not any(value.requires_grad for value in found.stats.values())


def test_a_term_with_mixed_labels_sees_categories_of_sketches_and_indices_of_photos():
    bridge = BridgeLoss(torch.eye(3, dtype=torch.bool), photos=16, size=4)
    bridge.start(torch.randn(3, 4), torch.randn(16, 4))
    found = Objective(infonce(), {"bridge": Term(1.0, bridge, "mixed")})(SKETCH, PHOTO, SKETCHES, PHOTOS)
    torch.testing.assert_close(
        found.stats["bridge_loss"], bridge(EmbeddedBatch(SKETCH, PHOTO, CATEGORY, PHOTOS.instance)).loss
    )


def test_nothing_in_the_terms_waits_for_the_values_of_a_batch():
    """What depends on values, which a GPU would have to be asked for, cannot be traced as one graph."""

    def made() -> Objective:
        torch.manual_seed(0)
        bridge = BridgeLoss(torch.eye(3, dtype=torch.bool), photos=16, size=4)
        bridge.start(torch.randn(3, 4), torch.randn(16, 4))
        terms = TermsConfig(proxy_weight=1.0, instance_weight=0.5, bridge_weight=1.0)
        return build_objective(
            InfoNCEConfig(learn_temperature=True),
            terms,
            categories=3,
            photos=16,
            embedding_size=4,
            generator=torch.Generator(),
            related=torch.zeros(3, 3, dtype=torch.bool),
            bridge=bridge,
        )

    plain, traced = made(), torch.compile(made(), fullgraph=True, backend="eager")
    for _ in range(2):  # the second with photos in the memory
        expected, found = plain(SKETCH, PHOTO, SKETCHES, PHOTOS), traced(SKETCH, PHOTO, SKETCHES, PHOTOS)
        assert torch.equal(found.loss, expected.loss)
    torch.compiler.reset()


def test_the_config_chooses_the_terms():
    def names(**settings: float) -> set[str]:
        built = build_objective(
            InfoNCEConfig(),
            TermsConfig(**settings),
            categories=3,
            photos=16,
            embedding_size=4,
            generator=torch.Generator(),
        )
        return set(built.terms)

    assert names() == set()
    assert names(proxy_weight=1.0) == {"proxy"}
    assert names(proxy_weight=1.0, instance_weight=0.5) == {"proxy", "instance"}


def test_the_terms_learn_with_the_loss():
    built = build_objective(
        InfoNCEConfig(),
        TermsConfig(proxy_weight=1.0, instance_weight=0.5),
        categories=3,
        photos=16,
        embedding_size=4,
        generator=torch.Generator(),
    )
    built(SKETCH, PHOTO, SKETCHES, PHOTOS).loss.backward()
    learning = {name for name, value in built.named_parameters() if value.grad is not None}
    assert learning == {"terms.proxy.proxies", "terms.proxy.log_scale", "terms.instance.log_temperature"}
    assert built.terms["proxy"].proxies.shape == (3, 4)
