# Defences: injected and fitted, then fine-tuned.


rule fit_defence:
    input:
        unpack(profile_inputs),
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.base_weights(w.base, int(w.seed)),
        code=sources("project"),
    output:
        weights=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/fitted.safetensors",
        fit=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/fit.csv",
        errors=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/errors.csv",
        manifest=f"{R}/manifests/project/{{base}}/{{defence}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/project/{{base}}/{{defence}}/seed{{seed}}.log",
    priority: 10
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("project"),
        inputs=lambda w, input: named(input, "distribution"),
    message:
        "project {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage project --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights} {params.inputs}"
        " --output weights={output.weights} fit={output.fit} errors={output.errors} 2> {log}"


rule finetune_defence:
    input:
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.undefended_weights(experiment(w)),
        code=sources("finetune"),
    output:
        weights=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/finetuned.safetensors",
        history=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/history.csv",
        timing=f"benchmarks/{C.run}/finetune/{{base}}/{{defence}}/seed{{seed}}.json",
        manifest=f"{R}/manifests/finetune/{{base}}/{{defence}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/finetune/{{base}}/{{defence}}/seed{{seed}}.log",
    priority: 10
    conda:
        "../envs/nenni.yaml"
    threads: C.threads * C.processes
    params:
        cfg=cfg("finetune"),
    message:
        "finetune {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage finetune --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output weights={output.weights} history={output.history} timing={output.timing}"
        " 2> {log}"


rule sum_up_overhead:
    input:
        timings=[
            f"benchmarks/{C.run}/finetune/{e.folder}.json" for e in PLAN.finetuned_experiments()
        ],
        code=sources("overhead"),
    output:
        table=f"benchmarks/{C.run}/training_overhead.csv",
    log:
        f"logs/{C.run}/training_overhead.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("overhead"),
        inputs=lambda w, input: pairs(
            {e.key: f for e, f in zip(PLAN.finetuned_experiments(), input.timings)}
        ),
    message:
        "overhead"
    shell:
        "python -m nenni stage overhead --config {params.cfg:q} --input {params.inputs}"
        " --output table={output.table} 2> {log}"
