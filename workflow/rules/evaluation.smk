# Attacks: one job per experiment and evaluation, its whole eps grid inside.


rule attack_experiment:
    input:
        unpack(source_input),
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.final_weights(experiment(w)),
        code=sources("attack"),
    output:
        examples=L.attack("csv"),
        about=L.attack("json"),
        manifest=L.manifest("attack", *OF_EXPERIMENT, "{evaluation}"),
    log:
        L.log("attack", *OF_EXPERIMENT, "{evaluation}"),
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("attack"),
        inputs=lambda w, input: named(input, "source"),
    message:
        "attack {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}/{wildcards.evaluation}"
    shell:
        "python -m nenni stage attack --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights} {params.inputs}"
        " --output examples={output.examples} about={output.about} 2> {log}"


rule diagnose_experiment:
    input:
        unpack(diagnose_source),
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.final_weights(experiment(w)),
        code=sources("diagnose"),
    output:
        checks=L.experiment("diagnose/checks.csv"),
        curves=L.experiment("diagnose/curves.csv"),
        manifest=L.manifest("diagnose", *OF_EXPERIMENT),
    log:
        L.log("diagnose", *OF_EXPERIMENT),
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("diagnose"),
        inputs=lambda w, input: named(input, "source"),
    message:
        "diagnose {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage diagnose --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights} {params.inputs}"
        " --output checks={output.checks} curves={output.curves} 2> {log}"


rule card_experiment:
    input:
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.final_weights(experiment(w)),
        code=sources("card"),
        cost=all_hardware_sources(),
        templates=template_files(),
    output:
        card=L.experiment("card.json"),
        page=L.experiment("card.html"),
        manifest=L.manifest("card", *OF_EXPERIMENT),
    log:
        L.log("card", *OF_EXPERIMENT),
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("card"),
    message:
        "card {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage card --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output card={output.card} page={output.page} 2> {log}"


rule sweep_noise:
    input:
        data=FILES.data(C.sweep.base),
        weights=FILES.base_weights(C.sweep.base, C.sweep.seed),
        code=sources("sweep"),
    output:
        sweep=L.table("sweep"),
        manifest=L.manifest("sweep"),
    log:
        L.log("sweep"),
    priority: 15
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("sweep"),
    message:
        "sweep"
    shell:
        "python -m nenni stage sweep --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output sweep={output.sweep} 2> {log}"
