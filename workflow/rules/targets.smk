# Targets: everything up to one stage.


rule data:
    input:
        sorted({FILES.data(base) for base in C.experiments}),


rule pretrain:
    input:
        [FILES.base_weights(base, seed) for base, seed in PLAN.bases()],


rule profile:
    input:
        BASE_FILES,


rule project:
    input:
        [
            L.experiment("fitted.safetensors", e)
            for e in PLAN.experiments()
            if PLAN.injected(e.defence)
        ],


rule defend:
    input:
        [
            L.experiment("defended.safetensors", e)
            for e in PLAN.experiments()
            if PLAN.has_baseline(e.defence)
        ],


rule finetune:
    input:
        rules.sum_up_overhead.output,


rule attack:
    input:
        list(ATTACKED.values()),
        L.table("sweep"),


rule cards:
    input:
        [L.experiment("card.json", e) for e in PLAN.experiments()],


rule hardware:
    input:
        [L.experiment("cost/operations.csv", e) for e in PLAN.experiments()],


rule tables:
    input:
        table_files(),


rule figures:
    input:
        figure_files(),


rule page:
    input:
        L.page(),
