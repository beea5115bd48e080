# Products: tables, figures and claims, each drawn from small CSV files.


rule collect_table:
    input:
        tables=lambda w: [
            f"{R}/experiments/{e.folder}/{COLLECTED[w.table]}" for e in experiments_with(w.table)
        ],
        code=sources("collect"),
    output:
        table=f"{R}/tables/{{table}}.csv",
        manifest=f"{R}/manifests/tables/{{table}}.sha256",
    log:
        f"logs/{C.run}/tables/{{table}}.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("collect"),
        inputs=lambda w, input: pairs(
            {e.key: file for e, file in zip(experiments_with(w.table), input.tables)}
        ),
    message:
        "collect {wildcards.table}"
    shell:
        "python -m nenni stage collect --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs} --output table={output.table} 2> {log}"


rule sum_up_accuracy:
    input:
        examples=list(ATTACKED.values()),
        code=sources("accuracy"),
    output:
        accuracy=report(
            f"{R}/tables/accuracy.csv",
            caption="../report/accuracy.rst",
            category="Tables",
            labels={"table": "accuracy"},
        ),
        paired=report(
            f"{R}/tables/paired.csv",
            caption="../report/paired.rst",
            category="Tables",
            labels={"table": "paired comparisons"},
        ),
        manifest=f"{R}/manifests/tables/accuracy.sha256",
    log:
        f"logs/{C.run}/tables/accuracy.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("accuracy"),
        inputs=lambda w, input: pairs(dict(zip(ATTACKED, input.examples))),
    message:
        "accuracy"
    shell:
        "python -m nenni stage accuracy --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs}"
        " --output accuracy={output.accuracy} paired={output.paired} 2> {log}"


rule sum_up_suites:
    input:
        examples=[attacked(e, name, "csv") for e, name in PLAN.suite_inputs().values()],
        about=[attacked(e, name, "json") for e, name in PLAN.suite_inputs().values()],
        code=sources("suites"),
    output:
        suites=report(
            f"{R}/tables/suites.csv",
            caption="../report/suites.rst",
            category="Tables",
            labels={"table": "suites of attacks"},
        ),
        manifest=f"{R}/manifests/tables/suites.sha256",
    log:
        f"logs/{C.run}/tables/suites.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("suites"),
        inputs=lambda w, input: pairs(
            dict(zip(PLAN.suite_inputs(), input.examples))
            | {f"{n}/about": f for n, f in zip(PLAN.suite_inputs(), input.about)}
        ),
    message:
        "suites"
    shell:
        "python -m nenni stage suites --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs} --output suites={output.suites} 2> {log}"


rule make_main_table:
    input:
        accuracy=f"{R}/tables/accuracy.csv",
        reductions=f"{R}/tables/reductions.csv",
        latency=f"{R}/tables/latency.csv",
        code=sources("main"),
    output:
        csv=report(
            f"{R}/tables/main.csv",
            caption="../report/main.rst",
            category="Tables",
            labels={"table": "main"},
        ),
        tex=f"{R}/tables/main.tex",
        manifest=f"{R}/manifests/tables/main.sha256",
    log:
        f"logs/{C.run}/tables/main.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("main"),
    message:
        "main"
    shell:
        "python -m nenni stage main --config {params.cfg:q} --manifest {output.manifest}"
        " --input accuracy={input.accuracy} reductions={input.reductions}"
        " latency={input.latency} --output csv={output.csv} tex={output.tex} 2> {log}"


rule judge_claims:
    input:
        paired=f"{R}/tables/paired.csv",
        reductions=f"{R}/tables/reductions.csv",
        code=sources("claims"),
    output:
        claims=report(
            f"{R}/tables/claims.csv",
            caption="../report/claims.rst",
            category="Tables",
            labels={"table": "claims"},
        ),
        manifest=f"{R}/manifests/tables/claims.sha256",
    log:
        f"logs/{C.run}/tables/claims.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("claims"),
    message:
        "claims"
    shell:
        "python -m nenni stage claims --config {params.cfg:q} --manifest {output.manifest}"
        " --input paired={input.paired} reductions={input.reductions}"
        " --output claims={output.claims} 2> {log}"


rule draw_figure:
    input:
        tables=lambda w: [f"{R}/tables/{table}.csv" for table in PLAN.figure_needs(w.figure)],
        code=sources("figure"),
    output:
        pdf=f"{R}/figures/{{figure}}.pdf",
        png=report(
            f"{R}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        manifest=f"{R}/manifests/figures/{{figure}}.sha256",
    log:
        f"logs/{C.run}/figures/{{figure}}.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("figure"),
        inputs=lambda w, input: pairs(dict(zip(PLAN.figure_needs(w.figure), input.tables))),
    message:
        "figure {wildcards.figure}"
    shell:
        "python -m nenni stage figure --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs} --output pdf={output.pdf} png={output.png} 2> {log}"
