"""What `python -m benchmarks --help` says of the benchmarks, and which bars they have."""

DESCRIPTION = """\
Measures the project against references on the same host, in turn within one run, and reports ratios.
The host has to be idle otherwise: other work does not slow both sides alike. PyTorch's threads wait for
each other many times per image, executors do not, and a ratio measured on a busy host can be wrong by a
factor of several, either way.

  feature_extraction       images/s on Spark (exec_2x1, warm workers) over a bare PyTorch loop with the
                           same network in this process with 2 threads; at least 0.80
  usual_way                images/s on Spark over fp32 at the size of the weights, such as 224 px, with batches of 64; at least
                           5; only for torchvision:<backbone> and timm:<backbone>
  new_images               images/s of `kedro predict` (logistic regression, exec_2x1) from files in a folder over a bare
                           loop that reads, decodes and classifies them with 2 threads; at least 0.80
  logistic_regression_fit  seconds of Spark ML over those of scikit-learn, same matrix; only reported
  executor_memory          peak MiB of one executor with its Python workers; below 2048; runs
                           feature_extraction and logistic_regression_fit first
  cnn_training             images/s of BigDL Orca and of TorchDistributor at exec_2x2 over a bare PyTorch loop with
                           the same network and recipe, 2 threads, all but the first epoch; at least 0.90; Orca at
                           exec_2x1 over exec_2x2;
                           Orca's seconds outside of training, below 15
  fine_tuning              images/s of TorchDistributor and of BigDL Orca at exec_2x2 over a bare PyTorch loop with the same
                           pretrained network, size and recipe, 2 threads, all but the first epoch; at least 0.90
  head_on_cache            seconds of 50 epochs of a head whose features are computed anew in each, over those of the same
                           epochs on stored features with their extraction; at least 30; once
  deployment               images/s of ResNet-18 at 224 px in static int8, at least 2, and with channels pruned away, at least
                           1.5, over float32 of the same runtime with one thread; bytes of float32 over those of int8, at
                           least 3.8
  orca_example             seconds of BigDL Orca's own CIFAR-10 example until half of the test images are right,
                           over those of ours; at least 10; once
  photographs              images/s of ingestion and features (torchvision:mobilenet_v2, exec_2x1) from JPEG files of 12
                           megapixels and 3.5 MB over a bare loop that decodes and resizes them; at least 0.70; with
                           the peak memory of executors; once
  growth                   images/s of ingestion and the cheapest features over those of a tenth of the images, at least
                           0.90; with the peak memory of driver and executors, at most 1.10 times; once
  phase_kills              a transfer of three phases that gets SIGKILL at six points, among them both sides of every end of
                           a phase, and goes on each time: the weights of an undisturbed one, bit for bit; once
  registry_list            seconds of `kedro registry list`, which must start no JVM; below 3
  report                   seconds of `kedro run --pipelines comparison` with 200 run records, made of those that
                           are there by repeating them; below 10; left out where there are none
  event_log                seconds to read the event log of an application with 10,000 tasks; below 5
  python_tasks             tasks/s that do nothing in a Python worker, over those by Spark's own daemon of Python workers; at least 2
  stream_features          images/s that five learners learn from 12,288 landed images or more with their features (exec_2x1) over the bare loop of
                           feature_extraction; at least 0.80
  stream_usual             images/s of two learners likewise over the usual way in one loop (a line of JSON a batch, images one by
                           one, features in fp32 at the same size, scikit-learn on the driver); at least 5
  stream_usual_size        the same where the usual way has the network as usual_way has it, as featurizers for Spark do; at least 5;
                           only for torchvision:<backbone> and timm:<backbone>
  stream_late              seconds from when an image was due to the commit of what it taught, p99, over TCP at half the rate of
                           stream_features; below 5
  stream_stored            images/s with stored features; at least 2000
  stream_side_by_side      images/s of learning alone, one task per learner over all of them in the driver; at least 1.5
  stream_paces             frames that waited at most in a stream over TCP that is slower than its learners, faster, and silent for a
                           minute: 8 may; each must end with every frame learned once, and slow and fast with the same weights; once
  stream_kills             seconds from a kill -9 until frames are learned again: receiver, driver, executor and server in turn; what is
                           learned must be the same bit for bit, and every image land and be learned once; once
  stream_memory            MiB of driver and executors after --micro-batches of ten tiny frames over those after a tenth of them, at
                           most 1.10; every frame must be learned once; once
  learners                 accuracy of the best learner after one pass over --features, at least 0.80; with learners_exact, the largest
                           difference between an exact learner and the fit of all images, below 0.001; once
  text_fit                 seconds of tf-idf and logistic regression on Spark, from --train-images texts to a fitted model, over those of
                           scikit-learn, as many numbers a text; at most 2; only for texts: --source imdb --source-path <folder>
  stream                   images/s through `kedro stream` over loopback, each frame on the disk before the next, over
                           the same bytes through a bare socket; only reported
"""

EPILOG = """\
examples:
  python -m benchmarks                                       all of them, on synthetic images
  python -m benchmarks --only registry_list                  one of them
  python -m benchmarks --only photographs --photographs 2000
  python -m benchmarks --only growth --growth 100000
  python -m benchmarks --source cifar10 --weights-path mobilenet_v2.pth
  python -m benchmarks --extractor torchvision:mobilenet_v2  random weights, which have the same speed

Written down with every benchmark: the share of the host's CPU time that other processes took meanwhile.
Above 10 % the command says so, and its figures are no evidence. Repeats that do not agree (min-max) are
another sign.
"""
