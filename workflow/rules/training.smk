# Data and bases: trained once and shared by all defences.


rule decode_data:
    input:
        raw=lambda w: PLAN.raw_files(w.data),
        code=sources("data"),
    output:
        data=f"{R}/data/{{data}}.safetensors",
        manifest=f"{R}/manifests/data/{{data}}.sha256",
    log:
        f"logs/{C.run}/data/{{data}}.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=cfg("data"),
    message:
        "data {wildcards.data}"
    shell:
        "python -m nenni stage data --config {params.cfg:q} --manifest {output.manifest}"
        " --output data={output.data} 2> {log}"


rule train_base:
    input:
        data=lambda w: PLAN.data_of(w.base),
        initial=lambda w: PLAN.weights_file(w.base) or [],
        code=sources("pretrain"),
    output:
        weights=f"{R}/bases/{{base}}/seed{{seed}}/weights.safetensors",
        best=f"{R}/bases/{{base}}/seed{{seed}}/best.safetensors",
        timing=f"benchmarks/{C.run}/pretrain/{{base}}/seed{{seed}}.json",
        history=f"{R}/bases/{{base}}/seed{{seed}}/history.csv",
        manifest=f"{R}/manifests/pretrain/{{base}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/pretrain/{{base}}/seed{{seed}}.log",
    priority: 20
    conda:
        "../envs/nenni.yaml"
    threads: C.threads * C.processes
    params:
        cfg=cfg("pretrain"),
    message:
        "pretrain {wildcards.base}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage pretrain --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data}"
        " --output weights={output.weights} best={output.best} history={output.history}"
        " timing={output.timing} 2> {log}"


rule profile_base:
    input:
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.base_weights(w.base, int(w.seed)),
        code=sources("profile"),
    output:
        distribution=f"{R}/bases/{{base}}/seed{{seed}}/distribution.csv",
        importance=f"{R}/bases/{{base}}/seed{{seed}}/importance.csv",
        sensitivities=f"{R}/bases/{{base}}/seed{{seed}}/sensitivities.csv",
        manifest=f"{R}/manifests/profile/{{base}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/profile/{{base}}/seed{{seed}}.log",
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("profile"),
    message:
        "profile {wildcards.base}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage profile --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output distribution={output.distribution} importance={output.importance}"
        " sensitivities={output.sensitivities} 2> {log}"
