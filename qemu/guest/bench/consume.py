"""What cloud-init's own `main_init` does from fetching the seed to consuming it, and nothing else of it."""

from cloudinit import settings, sources, stages

init = stages.Init(ds_deps=[sources.DEP_FILESYSTEM])
init.read_cfg()
init.initialize()
init.fetch(existing="check")
init.instancify()
init.update()
init.consume_data(settings.PER_INSTANCE)
