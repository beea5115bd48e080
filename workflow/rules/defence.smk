# Defences: injected and fitted, then fine-tuned.


rule fit_defence:
    input:
        unpack(profile_inputs),
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.base_weights(w.base, w.seed),
        code=sources("project"),
    output:
        weights=L.experiment("fitted.safetensors"),
        fit=L.experiment("fit.csv"),
        errors=L.experiment("errors.csv"),
        manifest=L.manifest("project", *OF_EXPERIMENT),
    log:
        L.log("project", *OF_EXPERIMENT),
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


rule put_baseline:
    input:
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.base_weights(w.base, w.seed),
        code=sources("defend"),
    output:
        weights=L.experiment("defended.safetensors"),
        manifest=L.manifest("defend", *OF_EXPERIMENT),
    log:
        L.log("defend", *OF_EXPERIMENT),
    priority: 10
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("defend"),
    message:
        "defend {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage defend --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output weights={output.weights} 2> {log}"


rule switch_noise_off:
    input:
        weights=lambda w: FILES.noisy_weights(experiment(w)),
        code=sources("without_noise"),
    output:
        weights=L.experiment("without_noise.safetensors"),
        manifest=L.manifest("without_noise", *OF_EXPERIMENT),
    log:
        L.log("without_noise", *OF_EXPERIMENT),
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("without_noise"),
    message:
        "without_noise {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage without_noise --config {params.cfg:q} --manifest {output.manifest}"
        " --input weights={input.weights} --output weights={output.weights} 2> {log}"


rule finetune_defence:
    input:
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.undefended_weights(experiment(w)),
        code=sources("finetune"),
    output:
        weights=L.experiment("finetuned.safetensors"),
        history=L.experiment("history.csv"),
        timing=L.timing("finetune"),
        manifest=L.manifest("finetune", *OF_EXPERIMENT),
    log:
        L.log("finetune", *OF_EXPERIMENT),
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
        timings=[L.timing("finetune", e) for e in PLAN.finetuned_experiments()],
        code=sources("overhead"),
    output:
        table=L.overhead(),
    log:
        L.log("training_overhead"),
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
