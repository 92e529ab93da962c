"""The names of the experiments: without imports, so that the command line can list them."""

__all__ = ["EXPERIMENTS"]

#: Where each experiment is defined: the module of its paper, and the name there.
EXPERIMENTS: dict[str, tuple[str, str]] = {
    "zhao2019-emodb": ("skspeech.experiments.zhao2019", "EMODB"),
    "zhao2019-iemocap": ("skspeech.experiments.zhao2019", "IEMOCAP"),
    "zhao2019-search": ("skspeech.experiments.zhao2019", "SEARCH"),
    "arronte2020-flamenco": ("skspeech.experiments.arronte2020", "FLAMENCO"),
    "arronte2020-flamenco-groups": ("skspeech.experiments.arronte2020", "FLAMENCO_GROUPS"),
    "arronte2020-fsdd": ("skspeech.experiments.arronte2020", "FSDD"),
    "arronte2020-fsdd-small": ("skspeech.experiments.arronte2020", "FSDD_SMALL"),
    "arronte2020-singing": ("skspeech.experiments.arronte2020", "SINGING"),
    "arronte2020-singing-small": ("skspeech.experiments.arronte2020", "SINGING_SMALL"),
    "ma2018-emodb": ("skspeech.experiments.ma2018", "EMODB"),
    "ma2018-emodb-small": ("skspeech.experiments.ma2018", "EMODB_SMALL"),
    "ma2018-iemocap": ("skspeech.experiments.ma2018", "IEMOCAP"),
    "meyer2021-emodb": ("skspeech.experiments.meyer2021", "EMODB"),
    "meyer2021-emodb-small": ("skspeech.experiments.meyer2021", "EMODB_SMALL"),
    "meyer2021-iemocap": ("skspeech.experiments.meyer2021", "IEMOCAP"),
    "shandiz2022-tongues": ("skspeech.experiments.shandiz2022", "TONGUES"),
    "shandiz2022-tongues-small": ("skspeech.experiments.shandiz2022", "TONGUES_SMALL"),
}
