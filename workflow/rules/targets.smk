# Targets: everything up to one stage.


rule data:
    input:
        sorted({PLAN.data_of(base) for base in C.experiments}),


rule pretrain:
    input:
        [PLAN.base_weights(base, seed) for base, seed in PLAN.bases()],


rule profile:
    input:
        BASE_FILES,


rule project:
    input:
        [
            f"{R}/experiments/{e.folder}/fitted.safetensors"
            for e in PLAN.experiments()
            if PLAN.injected(e.defence)
        ],


rule finetune:
    input:
        rules.sum_up_overhead.output,


rule attack:
    input:
        list(ATTACKED.values()),
        f"{R}/tables/sweep.csv",


rule hardware:
    input:
        [f"{R}/experiments/{e.folder}/cost/operations.csv" for e in PLAN.experiments()],


rule tables:
    input:
        table_files(),


rule figures:
    input:
        figure_files(),
