# Products: tables, figures and claims, each drawn from small CSV files.


rule collect_table:
    input:
        tables=lambda w: list(collected(w).values()),
        code=sources("collect"),
    output:
        table=L.table(),
        manifest=L.manifest("tables", "{table}"),
    log:
        L.log("tables", "{table}"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("collect"),
        inputs=lambda w: pairs(collected(w)),
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
            L.table("accuracy"),
            caption="../report/accuracy.rst",
            category="Tables",
            labels={"table": "accuracy"},
        ),
        paired=report(
            L.table("paired"),
            caption="../report/paired.rst",
            category="Tables",
            labels={"table": "paired comparisons"},
        ),
        manifest=L.manifest("tables", "accuracy"),
    log:
        L.log("tables", "accuracy"),
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
        examples=[L.attack("csv", e, name) for e, name in SUITES.values()],
        about=[L.attack("json", e, name) for e, name in SUITES.values()],
        code=sources("suites"),
    output:
        suites=report(
            L.table("suites"),
            caption="../report/suites.rst",
            category="Tables",
            labels={"table": "suites of attacks"},
        ),
        persistence=L.table("persistence"),
        manifest=L.manifest("tables", "suites"),
    log:
        L.log("tables", "suites"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("suites"),
        inputs=lambda w, input: pairs(
            dict(zip(SUITES, input.examples))
            | {f"{n}/about": f for n, f in zip(SUITES, input.about)}
        ),
    message:
        "suites"
    shell:
        "python -m nenni stage suites --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs}"
        " --output suites={output.suites} persistence={output.persistence} 2> {log}"


rule make_main_table:
    input:
        accuracy=L.table("accuracy"),
        reductions=L.table("reductions"),
        latency=L.table("latency"),
        code=sources("main"),
    output:
        csv=report(
            L.table("main"),
            caption="../report/main.rst",
            category="Tables",
            labels={"table": "main"},
        ),
        tex=L.table("main", "tex"),
        manifest=L.manifest("tables", "main"),
    log:
        L.log("tables", "main"),
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


rule compare:
    input:
        tables=list(comparison_inputs().values()),
        code=sources("comparison"),
    output:
        csv=report(
            L.table("comparison"),
            caption="../report/comparison.rst",
            category="Tables",
            labels={"table": "comparison"},
        ),
        tex=L.table("comparison", "tex"),
        manifest=L.manifest("tables", "comparison"),
    log:
        L.log("tables", "comparison"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("comparison"),
        inputs=pairs(comparison_inputs()),
    message:
        "comparison"
    shell:
        "python -m nenni stage comparison --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs} --output csv={output.csv} tex={output.tex} 2> {log}"


rule compare_with_times:
    input:
        tables=list(comparison_inputs().values()),
        overhead=L.overhead(),
        code=sources("comparison"),
    output:
        csv=L.comparison(),
    log:
        L.log("comparison"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("comparison"),
        inputs=pairs(comparison_inputs()),
    message:
        "comparison with times"
    shell:
        "python -m nenni stage comparison --config {params.cfg:q}"
        " --input {params.inputs} overhead={input.overhead} --output csv={output.csv} 2> {log}"


rule set_beside_controls:
    input:
        paired=L.table("paired"),
        code=sources("controls"),
    output:
        controls=report(
            L.table("controls"),
            caption="../report/controls.rst",
            category="Tables",
            labels={"table": "controls"},
        ),
        manifest=L.manifest("tables", "controls"),
    log:
        L.log("tables", "controls"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("controls"),
    message:
        "controls"
    shell:
        "python -m nenni stage controls --config {params.cfg:q} --manifest {output.manifest}"
        " --input paired={input.paired} --output controls={output.controls} 2> {log}"


rule judge_claims:
    input:
        paired=L.table("paired"),
        reductions=L.table("reductions"),
        code=sources("claims"),
    output:
        claims=report(
            L.table("claims"),
            caption="../report/claims.rst",
            category="Tables",
            labels={"table": "claims"},
        ),
        manifest=L.manifest("tables", "claims"),
    log:
        L.log("tables", "claims"),
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
        tables=lambda w: [L.table(table) for table in PLAN.figure_needs(w.figure)],
        code=sources("figure"),
    output:
        pdf=L.figure("pdf"),
        png=report(
            L.figure("png"),
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        manifest=L.manifest("figures", "{figure}"),
    log:
        L.log("figures", "{figure}"),
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


rule make_page:
    input:
        tables=table_files(),
        figures=[L.figure("png", name) for name in C.figures],
        code=sources("page"),
        templates=template_files(),
    output:
        page=L.page(),
        manifest=L.manifest("page"),
    log:
        L.log("page"),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("page"),
        inputs=lambda w, input: pairs(
            {f"table/{name}": file for name, file in zip(PLAN.tables(), input.tables)}
            | {f"figure/{name}": file for name, file in zip(C.figures, input.figures)}
        ),
    message:
        "page"
    shell:
        "python -m nenni stage page --config {params.cfg:q} --manifest {output.manifest}"
        " --input {params.inputs} --output page={output.page} 2> {log}"
