# Data and bases: trained once and shared by all defences.


rule decode_data:
    input:
        raw=lambda w: FILES.raw(w.data),
        code=sources("data"),
    output:
        data=L.data(),
        manifest=L.manifest("data", "{data}"),
    log:
        L.log("data", "{data}"),
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
        data=lambda w: FILES.data(w.base),
        given=lambda w: FILES.given_weights(w.base) or [],
        code=sources("pretrain"),
    output:
        weights=L.base("weights.safetensors"),
        best=L.base("best.safetensors"),
        initial=L.base("initial.safetensors"),
        timing=L.base_timing(),
        history=L.base("history.csv"),
        manifest=L.manifest("pretrain", "{base}", "seed{seed}"),
    log:
        L.log("pretrain", "{base}", "seed{seed}"),
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
        " --output weights={output.weights} best={output.best} initial={output.initial}"
        " history={output.history} timing={output.timing} 2> {log}"


rule profile_base:
    input:
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.base_weights(w.base, w.seed),
        code=sources("profile"),
    output:
        distribution=L.base("distribution.csv"),
        importance=L.base("importance.csv"),
        sensitivities=L.base("sensitivities.csv"),
        manifest=L.manifest("profile", "{base}", "seed{seed}"),
    log:
        L.log("profile", "{base}", "seed{seed}"),
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
