# Attacks: one job per experiment and evaluation, its whole eps grid inside.


rule attack_experiment:
    input:
        unpack(source_input),
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.final_weights(experiment(w)),
        code=sources("attack"),
    output:
        examples=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/attacks/{{evaluation}}.csv",
        about=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/attacks/{{evaluation}}.json",
        manifest=f"{R}/manifests/attack/{{base}}/{{defence}}/seed{{seed}}/{{evaluation}}.sha256",
    log:
        f"logs/{C.run}/attack/{{base}}/{{defence}}/seed{{seed}}/{{evaluation}}.log",
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
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.final_weights(experiment(w)),
        code=sources("diagnose"),
    output:
        checks=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/diagnose/checks.csv",
        curves=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/diagnose/curves.csv",
        manifest=f"{R}/manifests/diagnose/{{base}}/{{defence}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/diagnose/{{base}}/{{defence}}/seed{{seed}}.log",
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


rule sweep_noise:
    input:
        data=PLAN.data_of(C.sweep.base),
        weights=PLAN.base_weights(C.sweep.base, C.sweep.seed),
        code=sources("sweep"),
    output:
        sweep=f"{R}/tables/sweep.csv",
        manifest=f"{R}/manifests/sweep.sha256",
    log:
        f"logs/{C.run}/sweep.log",
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
