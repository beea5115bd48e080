# Cost: layers.json is the only bridge between the library and the cost model.


rule describe_experiment:
    input:
        data=lambda w: FILES.data(w.base),
        weights=lambda w: FILES.final_weights(experiment(w)),
        code=sources("describe"),
    output:
        layers=L.experiment("layers.json"),
        manifest=L.manifest("describe", *OF_EXPERIMENT),
    log:
        L.log("describe", *OF_EXPERIMENT),
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
        operations=L.experiment("cost/operations.csv"),
        reductions=L.experiment("cost/reductions.csv"),
        latency=L.experiment("cost/latency.csv"),
        energy=L.experiment("cost/energy.csv"),
        crossover=L.experiment("cost/crossovers.csv"),
        speedup=L.experiment("cost/speedups.csv"),
        roofline=L.experiment("cost/rooflines.csv"),
        traffic=L.experiment("cost/traffic.csv"),
        verdict=L.experiment("cost/verdicts.csv"),
        manifest=L.manifest("hardware", *OF_EXPERIMENT),
    log:
        L.log("hardware", *OF_EXPERIMENT),
    conda:
        "../envs/nenni.yaml"
    params:
        cfg=" ".join(f"--preset {preset}" for preset in C.presets)
        + f" --energy-table {C.energy_table}",
    message:
        "hardware {wildcards.base}/{wildcards.defence}/seed{wildcards.seed}"
    shell:
        "python -m nenni verify {input.layers} > {log}"
        " && python -m hwmodel {input.layers} {params.cfg} --operations {output.operations}"
        " --reductions {output.reductions} --latency {output.latency} --energy {output.energy}"
        " --crossover {output.crossover} --speedup {output.speedup}"
        " --roofline {output.roofline} --traffic {output.traffic}"
        " --verdict {output.verdict} >> {log} 2>&1"
        " && python -m nenni stamp {output.manifest} {output.operations} {output.reductions}"
        " {output.latency} {output.energy} {output.crossover} {output.speedup}"
        " {output.roofline} {output.traffic} {output.verdict} 2>> {log}"
