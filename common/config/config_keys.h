/* config_keys.h - the one declaration of every configuration key.
 *
 * The structs in config.h, the YAML schema, the defaults, the range checks and docs/CONFIG.md are all made from these
 * tables. A row is X(kind, name, default, least, most, class, "what it means"). Kinds:
 *
 *     INT   int64_t            AUTO  int64_t, the word auto is 0       NUM   double       BOOL  bool
 *     TEXT  char *             INTS  list of int64_t                   NUMS  list of double
 *     WORD(enum table)  one of the words of a table in config.h        WORDS(enum table)  a set of such words, as bits
 *     PER_HOST  int64_t, the word per_host is 0
 *     SERIES(enum table)  list of such words, in order, as int64_t
 *     TREE  a map or a list of its own making, as text on one line (yaml_flow)
 *
 * Defaults are YAML text. least and most bound numbers and the elements of lists; TEXT and words ignore them. A list may be
 * empty where its default is. A run's hash covers what differs from the defaults of version 1, so that a new key leaves the hash
 * of older runs alone (config_hash): a default that changes goes into a new version of `defaults` (CONFIG_DEFAULTS_1), and a new
 * key whose default is not what was done before it came says so in CONFIG_FORMER. The class says what a change of the key means for a run that has begun
 * (WORDS_CLASS).                                                                                                     */
#ifndef SMELTER_CONFIG_KEYS_H
#define SMELTER_CONFIG_KEYS_H

#include "common/kernels/activation.h"
#include "common/kernels/loss.h"
#include "common/kernels/optimizer.h"
#include "common/kernels/schedule.h"

/* A row is a line. */
/* clang-format off */

/* Words of enumerations: W(word, CONSTANT, "meaning"). Those of kernels stand with their tables: WORDS_ACTIVATION,
 * WORDS_LOSS, WORDS_OPTIMIZER, WORDS_SCHEDULE. */
#define WORDS_CLASS(W) \
    W(identity, CLASS_IDENTITY, "another value makes another run") \
    W(tunable, CLASS_TUNABLE, "a run may go on with another value, which changes what it learns from there on") \
    W(free, CLASS_FREE, "changes nothing that is learned, but for the last bits that the cluster's size decides below determinism invariant")
#define WORDS_DETERMINISM(W) \
    W(async, DETERMINISM_ASYNC, "L0: pushes apply on arrival, pulls never wait") \
    W(bounded, DETERMINISM_BOUNDED, "L1: a worker runs at most train.staleness steps ahead") \
    W(sync, DETERMINISM_SYNC, "L2: bit-identical on the same ranks") \
    W(invariant, DETERMINISM_INVARIANT, "L3: bit-identical across worker and server counts") \
    W(portable, DETERMINISM_PORTABLE, "L4: and across processors, compilers and builds (docs/DETERMINISM.md)")
#define WORDS_KERNELS(W) \
    W(auto, KERNELS_AUTO, "own at determinism portable, else openblas") \
    W(openblas, KERNELS_OPENBLAS, "OpenBLAS, whose bits depend on its version and on the processor") \
    W(own, KERNELS_OWN, "our own, for AVX-512, AVX2, NEON or plain C, with the same bits on all of them (docs/MATH.md eq. 25a)")
#define WORDS_TRANSPORT(W) \
    W(auto, TRANSPORT_AUTO, "ipc on one host, tcp across hosts") \
    W(ipc, TRANSPORT_IPC, "Unix sockets; all ranks on one host") \
    W(tcp, TRANSPORT_TCP, "TCP on cluster.interface")
#define WORDS_PLACEMENT(W) \
    W(spread, PLACEMENT_SPREAD, "one on each host in turn, as long as it has ranks left") \
    W(ranks, PLACEMENT_RANKS, "the first ranks after the coordinator's, wherever they are")
#define WORDS_ENCRYPTION(W) \
    W(auto, ENCRYPTION_AUTO, "on over tcp, off over ipc, which stays within one host and one user") \
    W(on, ENCRYPTION_ON, "everything is encrypted, and ranks show a certificate of this start of the job") \
    W(off, ENCRYPTION_OFF, "nothing is encrypted; ranks show a token of this start of the job, which who listens on the wire can read and use")
#define WORDS_ORDER(W) \
    W(chronological, ORDER_CHRONOLOGICAL, "as stored") \
    W(window, ORDER_WINDOW, "shuffled inside windows of data.window examples") \
    W(full, ORDER_FULL, "shuffled over the whole training split, anew every epoch")
#define WORDS_LAST_BATCH(W) \
    W(scaled, LAST_BATCH_SCALED, "trained, each of its examples with the weight of an example of a full batch: its sum is divided by train.batch") \
    W(drop, LAST_BATCH_DROP, "not trained") \
    W(own, LAST_BATCH_OWN, "trained with the weight of a full batch: its sum is divided by its own number of examples, however few")
#define WORDS_PART(W) \
    W(linear, PART_LINEAR, "a weight for each categorical value and each number, and a bias: alone a logistic regression, else the wide part") \
    W(fm, PART_FM, "a factorisation machine's second order: inner products of all pairs of fields; numbers have learned vectors") \
    W(cross, PART_CROSS, "the cross layers of DCN-v2") \
    W(mlp, PART_MLP, "hidden layers")
#define WORDS_CROSS_FORM(W) \
    W(parallel, CROSS_FORM_PARALLEL, "cross layers give a logit of their own") \
    W(stacked, CROSS_FORM_STACKED, "mlp takes what cross layers make of its input")
#define WORDS_GSMELU(W) \
    W(fixed, GSMELU_FIXED, "the numbers stay as configured") \
    W(network, GSMELU_NETWORK, "one learned set for all gsmelu layers of a network") \
    W(layer, GSMELU_LAYER, "a learned set per gsmelu layer") \
    W(unit, GSMELU_UNIT, "a learned set per unit")
#define WORDS_WEIGHT_NORM(W) \
    W(reparametrised, WEIGHT_NORM_REPARAMETRISED, "trained through the normalisation") \
    W(projected, WEIGHT_NORM_PROJECTED, "weights are brought back to norm v after every update")
#define WORDS_LAYER_NORM(W) \
    W(none, LAYER_NORM_NONE, "off") \
    W(plain, LAYER_NORM_PLAIN, "without gain and bias") \
    W(affine, LAYER_NORM_AFFINE, "with learned gain and bias")
#define WORDS_COMBINE(W) \
    W(probability, COMBINE_PROBABILITY, "mean of the components' probabilities") \
    W(logit, COMBINE_LOGIT, "mean of the components' logits")
#define WORDS_OBJECTIVE(W) \
    W(independent, OBJECTIVE_INDEPENDENT, "every component has its own loss and no other") \
    W(codistill, OBJECTIVE_CODISTILL, "peers also learn from the mean of the other peers") \
    W(antidistill, OBJECTIVE_ANTIDISTILL, "components are also pushed apart by a decorrelation loss")
#define WORDS_FORM(W) \
    W(joint, FORM_JOINT, "every worker trains all peers on each batch") \
    W(groups, FORM_GROUPS, "each peer has its own workers and its own share of the data, and learns from copies of the others")
#define WORDS_DISTANCE(W) \
    W(cross_entropy, DISTANCE_CROSS_ENTROPY, "cross-entropy to the others' mean probability") \
    W(logit, DISTANCE_LOGIT, "half the squared distance to the others' mean logit")
#define WORDS_DECORRELATE(W) \
    W(logits, DECORRELATE_LOGITS, "the components' logits") \
    W(hidden, DECORRELATE_HIDDEN, "the outputs of the components' last hidden layers, unit by unit")
#define WORDS_STATISTIC(W) \
    W(correlation, STATISTIC_CORRELATION, "squared correlation over a lane") \
    W(covariance, STATISTIC_COVARIANCE, "squared covariance over a lane")
#define WORDS_COMPLEXITY(W) \
    W(parameters, COMPLEXITY_PARAMETERS, "embedding weights of all values of the dataset, and dense parameters") \
    W(flops, COMPLEXITY_FLOPS, "floating-point operations per example, forward and backward")
#define WORDS_TEACHER_REPLICA(W) \
    W(same, TEACHER_REPLICA_SAME, "replica r learns from the teacher's replica r") \
    W(first, TEACHER_REPLICA_FIRST, "all replicas learn from the teacher's first")
#define WORDS_SOFT_LABELS(W) \
    W(final, SOFT_LABELS_FINAL, "by the finished model, which has learned from the labels of these very examples") \
    W(progressive, SOFT_LABELS_PROGRESSIVE, "each at the teacher's first visit, before it learned from the example; what it never visited has none")
#define WORDS_VARY(W) \
    W(init, VARY_INIT, "another initialisation seed per replica") \
    W(order, VARY_ORDER, "another order of the training data per replica") \
    W(level, VARY_LEVEL, "replicas run at determinism async: pushes apply as they arrive") \
    W(workers, VARY_WORKERS, "another number of workers per replica, from 1 up to all and around again") \
    W(noise, VARY_NOISE, "another noise of machine precision in the dense gradients per replica (train.noise_seed)")

#define WORDS_TUNE_GOAL(W) \
    W(pd, TUNE_GOAL_PD, "the smallest prediction difference at a logloss within tune.tolerance of the baseline's") \
    W(loss, TUNE_GOAL_LOSS, "the best logloss at a prediction difference of tune.pd or less")

#define WORDS_VALIDATED(W) \
    W(logloss, VALIDATED_LOGLOSS, "mean logistic loss") \
    W(auc, VALIDATED_AUC, "AUC, the higher the better") \
    W(auc_loss, VALIDATED_AUC_LOSS, "1 - AUC") \
    W(pqauc_loss, VALIDATED_PQAUC_LOSS, "PQAUC loss, which needs a group column") \
    W(normalised_entropy, VALIDATED_NORMALISED_ENTROPY, "logloss / the logloss of predicting the share of positives for all")
#define WORDS_SCORED(W) \
    W(auto, SCORED_AUTO, "test where there is one and a run of the experiment stops early; else eval") \
    W(eval, SCORED_EVAL, "the evaluation split") \
    W(test, SCORED_TEST, "the test split")

/* Keys at the top level. */
#define CONFIG_TOP(X) \
    X(TEXT, name, "run", 0, 0, FREE, "name of the run or experiment, shown in reports") \
    X(INT, defaults, "2", 1, 2, FREE, "which defaults hold for keys that are not given: 2, those of the tables here, or 1, those of the first version, which a file that was written for it needs") \
    X(INT, seed, "1", 0, 9007199254740991, IDENTITY, "seed of initial values; replica r adds r where experiment.vary has init") \
    X(WORD(DETERMINISM), determinism, "sync", 0, 0, IDENTITY, "how much of a run is reproducible bit for bit") \
    X(WORD(KERNELS), kernels, "auto", 0, 0, IDENTITY, "what makes the matrix products of networks") \
    X(TEXT, warm_start, "", 0, 0, IDENTITY, "folder of a finished run whose parameters this one starts from, by name and shape, with its scaling of numeric fields; {replica} in it is the replica's number; relative to this file; empty: none")

#define CONFIG_CLUSTER(X) \
    X(AUTO, workers, "auto", 0, 4096, FREE, "worker ranks; auto takes the ranks that are left (1 where smelter starts mpirun)") \
    X(AUTO, active_workers, "auto", 1, 4096, FREE, "workers that take part in a run; auto: all. The others wait") \
    X(PER_HOST, servers, "1", 1, 1024, FREE, "server ranks; per_host: one on each host of the job") \
    X(WORD(PLACEMENT), placement, "spread", 0, 0, FREE, "which ranks are the servers where the job has several hosts") \
    X(INT, shards_per_server, "1", 1, 64, FREE, "shard threads per server, each with its own socket, tables and LMDB environment") \
    X(WORD(TRANSPORT), transport, "auto", 0, 0, FREE, "what carries pulls, pushes and control") \
    X(WORD(ENCRYPTION), encryption, "auto", 0, 0, FREE, "whether they are encrypted (docs/SECURITY.md)") \
    X(TEXT, interface, "", 0, 0, FREE, "for tcp: names of interfaces, addresses, and networks such as 10.0.0.0/8, between commas, the best first; empty takes the first network that all hosts share and is not blocked") \
    X(TEXT, ports, "", 0, 0, FREE, "for tcp: the ports that ranks and MPI listen on, such as 20000-20100; empty: any that are free") \
    X(NUM, deadline_s, "30", 0.5, 86400, FREE, "longest silence of a rank, in seconds, before it is named and the job ends") \
    X(NUM, start_deadline_s, "60", 1, 86400, FREE, "longest time from the start of the ranks until all have found each other, in seconds") \
    X(BOOL, mixed_processors, "false", 0, 0, FREE, "allow ranks whose processors compute with different bits at sync and invariant (at portable there are none), and to go on with a run on another kind") \
    X(INT, heartbeat_ms, "500", 10, 60000, FREE, "a rank that has nothing to say reports this often") \
    X(INT, retry_ms, "2000", 10, 3600000, FREE, "a worker that waits for rows this long asks again, at the latest after a quarter of deadline_s") \
    X(INT, memory_mb, "0", 0, 16777216, FREE, "memory that the rows of a shard may take, MiB; 0: no bound") \
    X(TEXT, scratch, "", 0, 0, FREE, "folder on a disk of each host, relative to this file, for rows out of memory and tables in the making, which are copied to --out when they are whole; empty: all is made in --out, which must then be on a disk of each host")

#define CONFIG_DATA(X) \
    X(TEXT, path, "", 0, 0, FREE, "the dataset, an LMDB directory made by smelter import or smelter synth, relative to this file") \
    X(TEXT, input, "", 0, 0, FREE, "text file to import where data.path does not exist yet, a pattern (days/*.csv), a folder of part files, or a list of such; relative to this file; ${VARIABLE} is replaced") \
    X(TEXT, schema, "", 0, 0, FREE, "import schema (a YAML file, relative to this file) or preset (criteo, avazu, libsvm, libffm)") \
    X(TEXT, label, "", 0, 0, IDENTITY, "which of the dataset's labels is trained and evaluated, where its schema has several (labels:); empty: the first") \
    X(TEXT, since, "", 0, 0, IDENTITY, "train on the rows alone that were appended to the dataset after it had this content, 16 hex digits (smelter inspect; --continue sets it); empty: on all") \
    X(WORD(ORDER), order, "full", 0, 0, IDENTITY, "order in which examples are visited") \
    X(INT, order_seed, "1", 0, 9007199254740991, IDENTITY, "seed of the shuffle; replica r adds r where experiment.vary has order") \
    X(INT, window, "65536", 1, 1099511627776, IDENTITY, "examples in a shuffle window (data.order: window)") \
    X(INT, cache_mb, "1024", 1, 1048576, FREE, "decoded blocks that the workers of a host keep in memory and share, MiB for all of them together") \
    X(TEXT, scratch, "", 0, 0, FREE, "folder where a worker puts the examples of a shuffled dataset larger than data.cache_mb in the order of visits, relative to this file; empty: TMPDIR, or /var/tmp")

#define CONFIG_SYNTH(X) \
    X(INT, rows, "0", 0, 1099511627776, IDENTITY, "examples to generate where data.path does not exist yet; 0: no generation") \
    X(INT, fields, "8", 1, 1024, IDENTITY, "categorical fields") \
    X(INT, values, "10000", 2, 1099511627776, IDENTITY, "values of the largest field; the others have fewer, geometrically spaced") \
    X(NUM, exponent, "1.1", 0, 10, IDENTITY, "power-law exponent of value frequencies") \
    X(INT, numeric, "2", 0, 1024, IDENTITY, "numeric fields") \
    X(INT, multi, "1", 0, 64, IDENTITY, "multi-valued fields, with 0 to 5 values each") \
    X(INT, factors, "4", 1, 64, IDENTITY, "latent factors of the truth") \
    X(NUM, drift, "0.2", 0, 10, IDENTITY, "how far the truth moves from the first example to the last, relative to its size") \
    X(INT, group_size, "8", 1, 1000000, IDENTITY, "examples per query group") \
    X(NUM, positive_rate, "0.25", 0.0001, 0.9999, IDENTITY, "share of positive labels") \
    X(NUM, train_fraction, "0.8", 0.0001, 1, IDENTITY, "share of examples, from the start, in the training split") \
    X(NUM, test_fraction, "0", 0, 0.9999, IDENTITY, "share of examples, at the end, in the test split; the rest evaluates") \
    X(INT, seed, "1", 0, 9007199254740991, IDENTITY, "seed of the generator")

#define CONFIG_TRAIN(X) \
    X(INT, batch, "256", 1, 16777216, IDENTITY, "examples in a global batch") \
    X(INT, lanes, "4", 1, 4096, IDENTITY, "fixed pieces of a global batch; gradients are summed over a fixed tree of lanes") \
    X(WORD(LAST_BATCH), last_batch, "scaled", 0, 0, IDENTITY, "what becomes of the end of a training that has fewer examples than train.batch") \
    X(WORD(LOSS), loss, "logistic", 0, 0, IDENTITY, "loss to the label that components minimise") \
    X(INT, epochs, "2", 1, 100000, TUNABLE, "passes over the training split") \
    X(INT, max_steps, "0", 0, 1099511627776, TUNABLE, "stop after this number of global batches; 0: no limit") \
    X(INT, pipeline_depth, "1", 0, 8, IDENTITY, "a pull of step t sees exactly the pushes of steps before t - depth (from sync on)") \
    X(INT, staleness, "4", 0, 1000000, TUNABLE, "steps that a worker may run ahead of the slowest (bounded)") \
    X(INT, noise_seed, "0", 0, 9007199254740991, IDENTITY, "not 0: dense gradients are multiplied by 1 + r 2^-23, r of -1, 0, 1 drawn by this seed") \
    X(BOOL, step_digests, "true", 0, 0, FREE, "from determinism sync on: a digest of what each step did, in " FILE_STEPS ", for smelter diff") \
    X(INT, report_steps, "50", 1, 1000000000, FREE, "steps between two lines of " FILE_METRICS) \
    X(BOOL, keep_progressive, "false", 0, 0, FREE, "leave " FILE_PROGRESSIVE ", what each training example was predicted as at its first visit, for students in other experiments; a teacher of progressive predictions in its own does so anyway")

#define CONFIG_MODEL(X) \
    X(INT, components, "1", 1, 64, IDENTITY, "K, networks trained side by side, each with its own embeddings and initialisation") \
    X(WORD(COMBINE), combine, "probability", 0, 0, IDENTITY, "how the components' predictions become one") \
    X(TEXT, deploy, "auto", 0, 0, IDENTITY, "whose prediction counts: mean (of all components), a peer's number from 0, or auto: peer 0 of co-distilled ones, else mean") \
    X(BOOL, share_embeddings, "false", 0, 0, IDENTITY, "all components use the embeddings of the first; a shared row gets the sum of their gradients") \
    X(WORDS(PART), parts, "[mlp]", 0, 0, IDENTITY, "what a network is put together from; the logits of its parts add up") \
    X(INT, cross_layers, "2", 1, 64, IDENTITY, "layers of part cross") \
    X(INT, cross_rank, "0", 0, 65536, IDENTITY, "rank of their weights; 0: full matrices") \
    X(WORD(CROSS_FORM), cross_form, "parallel", 0, 0, IDENTITY, "how cross and mlp go together") \
    X(INTS, hidden, "[128, 64, 32]", 1, 65536, IDENTITY, "widths of the hidden layers, from input to output") \
    X(WORD(ACTIVATION), activation, "relu", 0, 0, IDENTITY, "activation of all layers") \
    X(SERIES(ACTIVATION), layer_activation, "[]", 0, 0, IDENTITY, "activation of each hidden layer, from input to output; empty: model.activation") \
    X(NUM, beta, "1", 0.000001, 1000000, IDENTITY, "width of a smooth activation") \
    X(NUM, beta_spread, "0", 0, 1000000, IDENTITY, "not 0: the width becomes this many times the spread of what comes into a layer's activation, for each layer its own, after model.beta_warmup steps of model.beta, and stays") \
    X(INT, beta_warmup, "200", 1, 10000000, IDENTITY, "steps at the start whose examples the spread of model.beta_spread is taken over") \
    X(NUMS, layer_beta, "[]", 0.000001, 1000000, IDENTITY, "width of each hidden layer's activation, from input to output; empty: model.beta") \
    X(NUM, leak, "0.01", 0, 1, IDENTITY, "slope of leaky_relu left of 0") \
    X(WORD(GSMELU), gsmelu, "fixed", 0, 0, IDENTITY, "who shares a learned set of gsmelu's five numbers; they start as configured") \
    X(NUM, gsmelu_alpha, "0", 0, 1000000, IDENTITY, "gsmelu bends from -alpha to beta; 0: alpha is beta") \
    X(NUM, gsmelu_left, "0", -100, 100, IDENTITY, "slope of gsmelu left of -alpha") \
    X(NUM, gsmelu_right, "1", -100, 100, IDENTITY, "slope of gsmelu right of beta") \
    X(NUM, gsmelu_level, "0", -1000000, 0, IDENTITY, "value of gsmelu at -alpha") \
    X(NUM, gsmelu_learning_rate, "0.001", 0, 1000000, TUNABLE, "learning rate of gsmelu's numbers; the rest of the optimizer is that of dense") \
    X(NUMS, rescu_knots, "[-1, 1]", -1000000, 1000000, IDENTITY, "where rescu's slope is given, ascending, in units of beta") \
    X(NUMS, rescu_slopes, "[0, 1]", -100, 100, IDENTITY, "rescu's slope at each knot, linear between knots and constant outside") \
    X(NUM, rescu_rise, "0", -1000000, 1000000, IDENTITY, "value of rescu at its first knot, in units of beta") \
    X(BOOL, activate_inputs, "false", 0, 0, IDENTITY, "apply activation and clipping to the input layer too, as the paper writes it") \
    X(NUM, clip, "6", 0, 1000000, IDENTITY, "activated values are clipped to [-clip, clip]; 0: off") \
    X(WORD(LAYER_NORM), layer_norm, "plain", 0, 0, IDENTITY, "layer normalisation of hidden pre-activations") \
    X(NUM, dropout, "0", 0, 0.95, IDENTITY, "share of the units of each hidden layer that a training example leaves out, drawn by seed, step, example and unit; the others are scaled up") \
    X(NUM, weight_norm, "0", 0, 1000000, IDENTITY, "v: every unit's weights are used as v w / ||w||_p; 0: off") \
    X(NUM, weight_norm_p, "2", 1, 1000, IDENTITY, "p of the weight norm") \
    X(WORD(WEIGHT_NORM), weight_norm_mode, "reparametrised", 0, 0, IDENTITY, "how weights are kept normalised") \
    X(NUM, init_gain, "2", 0.000001, 1000000, IDENTITY, "weights start as N(0, gain / inputs); 2 is He initialisation")

/* What every optimizer may take beside its learning rate (optimizer_settings_t). */
#define CONFIG_OPTIMIZER_SETTINGS(X) \
    X(NUM, initial_accumulator, "0.01", 0, 1000000, IDENTITY, "adagrad, adagrad_row, ftrl: the accumulator of squares at the start") \
    X(NUM, epsilon, "1e-10", 0, 1, TUNABLE, "adagrad, adagrad_row, adam: epsilon, added to the square root") \
    X(NUM, momentum, "0.9", 0, 0.999999, TUNABLE, "momentum: the share of a step that goes on in the next one") \
    X(BOOL, nesterov, "false", 0, 0, TUNABLE, "momentum: Nesterov's, which looks a step ahead") \
    X(NUM, beta1, "0.9", 0, 0.999999, TUNABLE, "adam: decay of the mean of gradients") \
    X(NUM, beta2, "0.999", 0, 0.999999, TUNABLE, "adam: decay of the mean of their squares") \
    X(NUM, ftrl_beta, "1", 0, 1000000, TUNABLE, "ftrl: added to the square root of the accumulator") \
    X(NUM, ftrl_l1, "0", 0, 1000000, TUNABLE, "ftrl: weight of the sum of |w|; what stays small is exactly 0") \
    X(NUM, ftrl_l2, "0", 0, 1000000, TUNABLE, "ftrl: weight of half the sum of w^2") \
    X(NUM, l2, "0", 0, 1000000, TUNABLE, "L2 regularisation: this many times its weights is added to the gradient of a row in each step that it occurs in") \
    X(NUM, weight_decay, "0", 0, 1000000, TUNABLE, "decoupled decay: a row first loses learning rate times this of its weights in each step that it occurs in") \
    X(NUM, clip_norm, "0", 0, 1000000, TUNABLE, "most that the norm of a gradient may be, beyond which it is scaled down: in dense of all of a component together, elsewhere of each row's; 0: no bound")

/* How a learning rate changes over a training (schedule.h). */
#define CONFIG_SCHEDULE(X) \
    X(WORD(SCHEDULE), schedule, "constant", 0, 0, TUNABLE, "how the learning rate falls over the training") \
    X(INT, warmup_steps, "0", 0, 1099511627776, TUNABLE, "first steps, over which the learning rate rises linearly") \
    X(INT, decay_from, "0", 0, 1099511627776, TUNABLE, "step from which it falls; 0: where it has risen") \
    X(INT, decay_until, "0", 0, 1099511627776, TUNABLE, "cosine: step at which it has fallen; 0: the end of the training") \
    X(INT, decay_steps, "1000", 1, 1099511627776, TUNABLE, "step: steps from one fall to the next; inverse_sqrt: after how many it has fallen to 0.71") \
    X(NUM, decay_factor, "0.1", 0, 1, TUNABLE, "step: factor of each fall; cosine: share of the learning rate that is left at the end")

/* Of each section that has an optimizer: embedding, dense and linear. */
#define CONFIG_OPTIMIZER(X) CONFIG_OPTIMIZER_SETTINGS(X) CONFIG_SCHEDULE(X)

#define CONFIG_EMBEDDING(X) \
    X(INT, dim, "8", 1, 4096, IDENTITY, "D, width of every embedding row") \
    X(NUM, init_std, "0.01", 0, 1000, IDENTITY, "rows start as N(0, init_std^2)") \
    X(WORD(OPTIMIZER), optimizer, "adagrad", 0, 0, IDENTITY, "optimizer of embedding rows, run on the servers") \
    X(NUM, learning_rate, "0.3", 0, 1000000, TUNABLE, "learning rate of embedding rows") \
    CONFIG_OPTIMIZER(X) \
    X(INT, min_count, "0", 0, 1000000000, IDENTITY, "sightings of a key before it gets a row of its own; 0: it has one from the first") \
    X(INT, ttl_steps, "0", 0, 1099511627776, IDENTITY, "steps without a sighting after which a row expires; 0: never")

/* What is said of fields by name; field_options.h reads it. */
#define CONFIG_FIELDS(X) \
    X(TREE, widths, "{}", 0, 0, IDENTITY, "width of the rows of fields by name, as {user_id: 32, tab: 4}; of all others it is embedding.dim") \
    X(TREE, share, "{}", 0, 0, IDENTITY, "fields that have their rows in the table of another, as {history: user_id}; {history: history} has its own again") \
    X(TREE, crosses, "[]", 0, 0, IDENTITY, "fields made of the keys of single-valued ones, each a list of their names, as [user_id, tab], or a map, as {of: [user_id, tab], width: 4, buckets: 100000}: width for embedding.dim, buckets for at most so many rows")

#define CONFIG_DENSE(X) \
    X(WORD(OPTIMIZER), optimizer, "adagrad", 0, 0, IDENTITY, "optimizer of the dense parameters, run identically on every worker") \
    X(NUM, learning_rate, "0.02", 0, 1000000, TUNABLE, "learning rate of the dense parameters") \
    CONFIG_OPTIMIZER(X) \
    X(INT, average_steps, "0", 0, 1000000, IDENTITY, "the dense parameters that predict, in evaluations and when trained, are the mean over about this many last steps; 0, 1: those of the last step") \
    X(BOOL, penalise_biases, "false", 0, 0, TUNABLE, "what pulls weights to 0 (l2, weight_decay, ftrl_l1, ftrl_l2) does so with biases, gains and shifts, too")

#define CONFIG_LINEAR(X) \
    X(WORD(OPTIMIZER), optimizer, "adagrad", 0, 0, IDENTITY, "optimizer of first-order weights; those of categorical values lie in the embedding rows, on the servers") \
    X(NUM, learning_rate, "0.1", 0, 1000000, TUNABLE, "learning rate of first-order weights") \
    CONFIG_OPTIMIZER(X)

#define CONFIG_OBJECTIVE(X) \
    X(WORD(OBJECTIVE), kind, "independent", 0, 0, IDENTITY, "what components minimise beside their own loss") \
    X(NUM, weight, "1", 0, 1000000, TUNABLE, "weight of the extra loss, once it is fully on") \
    X(NUM, burn_in, "0", 0, 1, TUNABLE, "share of all steps before the extra loss begins") \
    X(NUM, ramp, "0", 0, 1, TUNABLE, "share of all steps over which its weight then rises from 0") \
    X(NUM, until, "1", 0, 1, TUNABLE, "share of all steps after which the extra loss ends") \
    X(WORD(DISTANCE), loss, "cross_entropy", 0, 0, IDENTITY, "codistill: how a peer differs from the others") \
    X(AUTO, peers, "auto", 0, 64, IDENTITY, "codistill: peers, each an ensemble of components / peers; auto: every component is a peer") \
    X(WORD(FORM), form, "joint", 0, 0, IDENTITY, "codistill: who trains the peers") \
    X(INT, exchange_steps, "50", 1, 1000000000, TUNABLE, "form groups: steps between two exchanges of the peers' dense parameters") \
    X(WORD(DECORRELATE), decorrelate, "logits", 0, 0, IDENTITY, "antidistill: what is pushed apart") \
    X(WORD(STATISTIC), statistic, "correlation", 0, 0, IDENTITY, "antidistill: what is made small")

#define CONFIG_COMPLEXITY(X) \
    X(TEXT, match, "", 0, 0, FREE, "variant whose size this one is scaled to, by embedding width and hidden widths; empty: none") \
    X(WORD(COMPLEXITY), by, "parameters", 0, 0, FREE, "what is made equal")

#define CONFIG_TEACHER(X) \
    X(TEXT, variant, "", 0, 0, IDENTITY, "variant that is trained first and whose predictions of the training split are learned; empty: none") \
    X(TEXT, run, "", 0, 0, IDENTITY, "folder of a finished run that teaches in the place of a variant, also one that was trained on another dataset of the same fields; relative to this file; empty: none") \
    X(WORD(TEACHER_REPLICA), replica, "same", 0, 0, IDENTITY, "which of the replicas of teacher.variant") \
    X(WORD(SOFT_LABELS), predictions, "final", 0, 0, IDENTITY, "when the teacher predicted what its students learn") \
    X(NUM, weight, "1", 0, 1000000, TUNABLE, "weight of the cross-entropy to the teacher, once it is fully on") \
    X(NUM, label_weight, "1", 0, 1000000, TUNABLE, "weight of the loss to the label while there is a teacher's") \
    X(NUM, burn_in, "0", 0, 1, TUNABLE, "share of all steps before the teacher's loss begins") \
    X(NUM, ramp, "0", 0, 1, TUNABLE, "share of all steps over which its weight then rises from 0") \
    X(NUM, until, "1", 0, 1, TUNABLE, "share of all steps after which the teacher's loss ends")

#define CONFIG_EXPERIMENT(X) \
    X(INT, replicas, "2", 1, 1000, FREE, "trainings per variant of smelter compare; at least 2 where experiment.vary is not empty") \
    X(WORDS(VARY), vary, "[order]", 0, 0, FREE, "what differs between the replicas of a variant") \
    X(TEXT, only, "", 0, 0, FREE, "train and report this variant alone, with those it needs as teachers or for its size; empty: all") \
    X(TEXT, baseline, "", 0, 0, FREE, "variant that losses are compared with; empty: the first") \
    X(NUM, tolerance, "0.005", 0, 10, FREE, "by what share a loss may be above the baseline's: for the verdict and for tune")

#define CONFIG_TUNE(X) \
    X(TEXT, variant, "", 0, 0, FREE, "variant that is tuned; empty: the first one that is not the baseline") \
    X(TEXT, key, "model.beta", 0, 0, FREE, "key that is varied, a positive number; its middle is tried on a logarithmic scale") \
    X(NUM, low, "0.25", 0.000000001, 1000000000, FREE, "smallest value") \
    X(NUM, high, "8", 0.000000001, 1000000000, FREE, "largest value") \
    X(WORD(TUNE_GOAL), goal, "pd", 0, 0, FREE, "what is looked for") \
    X(NUM, tolerance, "0", 0, 10, FREE, "goal pd: by how much the logloss may exceed the baseline's; 0: the share experiment.tolerance of it") \
    X(NUM, pd, "0.1", 0, 2, FREE, "goal loss: the relative prediction difference that is allowed") \
    X(INT, values, "8", 2, 100, FREE, "most values to try, each with experiment.replicas trainings")

#define CONFIG_CHECKPOINT(X) \
    X(INT, every_steps, "0", 0, 1099511627776, FREE, "steps from one checkpoint to the next, more than pipeline_depth; 0: off") \
    X(NUM, every_seconds, "600", 0, 31536000, FREE, "seconds from one checkpoint to the next; 0: off") \
    X(INT, keep, "2", 1, 1000000, FREE, "the newest checkpoints of a run that are kept")

#define CONFIG_EVALUATE(X) \
    X(INT, probe_every, "0", 0, 1099511627776, FREE, "steps between two looks at what the model predicts for the probe set while it trains, in " FILE_PROBES "; 0: off") \
    X(INT, probe_examples, "2000", 1, 10000000, FREE, "size of the probe set: the first examples of the evaluation split, at most all; workers keep their shares in memory") \
    X(INT, every, "0", 0, 1099511627776, IDENTITY, "steps between two evaluations while the run trains, by the parameters before the step, in " FILE_VALIDATION "; 0: off") \
    X(NUM, every_epochs, "0", 0, 100000, IDENTITY, "the same in epochs, in whole steps") \
    X(INT, examples, "0", 0, 1099511627776, IDENTITY, "evaluate these first examples of the evaluation split; 0: all") \
    X(INT, patience, "0", 0, 1000000, IDENTITY, "stop after so many evaluations without an improvement, and end with the parameters of the best one, which a checkpoint has kept; 0: off") \
    X(WORD(VALIDATED), metric, "logloss", 0, 0, IDENTITY, "what evaluate.patience looks at") \
    X(NUM, min_delta, "0", 0, 1000000, IDENTITY, "by how much it must be better than the best so far to be an improvement, at least") \
    X(WORD(SCORED), split, "auto", 0, 0, IDENTITY, "which split the finished run is scored on, and what compare reports is of") \
    X(TEXT, window, "", 0, 0, FREE, "progressive and held-out metrics also by windows of time: day, hour, or a number of seconds; empty: off")

/* F(key, value): what versions without the key did, where its default is something else. A resolved configuration that lacks
 * the key means this value, and the hash of a configuration covers what differs from it. */
#define CONFIG_FORMER(F) F("train.last_batch", "own") F("cluster.placement", "ranks") F("defaults", "1")

/* D(key, value): the defaults of version 1 that are others today, for files with `defaults: 1` and for runs of builds that knew
 * no other. Version 2 was chosen on four datasets so that a plain training does better than a logistic regression
 * (docs/EXPERIMENTS.md). What a key that came later does where it is not given is no subject of this list. */
#define CONFIG_DEFAULTS_1(D) \
    D("train.batch", "1024") D("train.epochs", "1") D("model.activate_inputs", "true") D("model.layer_norm", "none") \
    D("embedding.learning_rate", "0.1") D("embedding.init_std", "0.05")

/* Sections: S(name, KEYS_TABLE, "what it holds"). */
#define CONFIG_SECTIONS(S) \
    S(cluster, CONFIG_CLUSTER, "ranks, shards and the network") \
    S(data, CONFIG_DATA, "the dataset and the order of visits") \
    S(synth, CONFIG_SYNTH, "the synthetic generator, for smelter synth and for datasets that do not exist yet") \
    S(train, CONFIG_TRAIN, "batches, lanes, epochs and pipelining") \
    S(model, CONFIG_MODEL, "the network") \
    S(embedding, CONFIG_EMBEDDING, "embedding tables") \
    S(fields, CONFIG_FIELDS, "fields of the dataset, by name") \
    S(dense, CONFIG_DENSE, "dense parameters") \
    S(linear, CONFIG_LINEAR, "first-order weights, of model.parts linear") \
    S(objective, CONFIG_OBJECTIVE, "what binds components together: co-distillation, anti-distillation") \
    S(complexity, CONFIG_COMPLEXITY, "variants of equal size") \
    S(teacher, CONFIG_TEACHER, "distillation from another variant, or from a run of another experiment") \
    S(experiment, CONFIG_EXPERIMENT, "replicas and variants of smelter compare") \
    S(tune, CONFIG_TUNE, "the search of smelter tune") \
    S(checkpoint, CONFIG_CHECKPOINT, "what a run saves while it trains") \
    S(evaluate, CONFIG_EVALUATE, "what is predicted while a run trains")

#endif
