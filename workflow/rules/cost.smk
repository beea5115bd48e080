# Cost: layers.json is the only bridge between the library and the cost model.


rule describe_experiment:
    input:
        data=lambda w: PLAN.data_of(w.base),
        weights=lambda w: PLAN.final_weights(experiment(w)),
        code=sources("describe"),
    output:
        layers=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/layers.json",
        manifest=f"{R}/manifests/describe/{{base}}/{{defence}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/describe/{{base}}/{{defence}}/seed{{seed}}.log",
    conda:
        "../envs/nenni.yaml"
    threads: C.threads
    params:
        cfg=cfg("describe"),
    message:
        "describe {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni stage describe --config {params.cfg:q} --manifest {output.manifest}"
        " --input data={input.data} weights={input.weights}"
        " --output layers={output.layers} 2> {log}"


rule cost_experiment:
    input:
        layers=rules.describe_experiment.output.layers,
        code=hardware_sources(),
    output:
        operations=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/operations.csv",
        reductions=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/reductions.csv",
        latency=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/latency.csv",
        energy=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/energy.csv",
        crossover=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/crossovers.csv",
        speedup=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/speedups.csv",
        roofline=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/rooflines.csv",
        traffic=f"{R}/experiments/{{base}}/{{defence}}/seed{{seed}}/cost/traffic.csv",
        manifest=f"{R}/manifests/hardware/{{base}}/{{defence}}/seed{{seed}}.sha256",
    log:
        f"logs/{C.run}/hardware/{{base}}/{{defence}}/seed{{seed}}.log",
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=" ".join(f"--preset {preset}" for preset in C.presets)
        + f" --energy-table {C.energy_table}",
    message:
        "hardware {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m hwmodel {input.layers} {params.cfg} --operations {output.operations}"
        " --reductions {output.reductions} --latency {output.latency} --energy {output.energy}"
        " --crossover {output.crossover} --speedup {output.speedup}"
        " --roofline {output.roofline} --traffic {output.traffic} > {log} 2>&1"
        " && python -m nenni stamp {output.manifest} {output.operations} {output.reductions}"
        " {output.latency} {output.energy} {output.crossover} {output.speedup}"
        " {output.roofline} {output.traffic} 2>> {log}"
