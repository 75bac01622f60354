"""How a stage's answer is stored and handed on: the only IO manager there is."""

from collections.abc import Callable

import dagster as dg

from assets.metadata import describe
from assets.resources import HomeResource, sentences
from flywheel.home import Home
from flywheel.lineage import Dataset
from flywheel.storage.snapshots import Snapshot
from flywheel.workers import give_back


class DatasetIO(dg.ConfigurableIOManager):
    """Hands published snapshots from asset to asset, and refuses anything else."""

    path: str = ""
    """The home; empty for FLYWHEEL_HOME, then ./home. The lock is the home resource's business."""

    def handle_output(self, context: dg.OutputContext, obj: Snapshot) -> None:
        """A snapshot is stored already; whatever is not one carries no derivation, so it is refused."""
        if not isinstance(obj, Snapshot):
            raise dg.Failure(
                description=f"{context.asset_key.to_user_string()} returned {type(obj).__name__}. Return published(home, stage, …): "
                "a Dataset carries the derivation that lineage is made of.",
                allow_retries=False,
            )

    def load_input(self, context: dg.InputContext) -> Snapshot:
        """The newest snapshot of the upstream asset."""
        with sentences():
            return Home.open(self.path or None).store.head(context.asset_key.to_user_string())


def published(home: HomeResource, stage: Callable[..., Dataset], *inputs: object) -> dg.Output[Snapshot]:
    """Run a stage, publish what it made under its derivation, and say so to Dagster. The data version is the content's digest."""
    with sentences():
        snapshot = home.store.publish(stage(*inputs))
        give_back()
        shown = describe(snapshot, [i for i in inputs if isinstance(i, Snapshot)])
        return dg.Output(snapshot, data_version=dg.DataVersion(snapshot.version), metadata=shown)


def named(made: dg.Output[Snapshot], name: str) -> dg.Output[Snapshot]:
    """The same output, of a step with several, under the name it has there."""
    return dg.Output(made.value, output_name=name, data_version=made.data_version, metadata=made.metadata)
