"""Where the kernel of networks finds sizes and weights: places in its table of integers."""

# sizes: networks, doubles of one network, layers, vectors of the descriptors' derivatives; then a row for each layer
NETWORKS, STRIDE, LAYERS, PADDED, ROWS = range(5)
# of a layer: inputs, outputs in tiles of eight, activation, weights by output, weights by input, biases, area of work
INPUTS, TILES, ACTIVATION, FORWARD, BACKWARD, BIASES, AREA = range(7)
ROW_WORDS = 7

LINEAR, SIGMOID, TANH, RELU, SOFTPLUS = range(5)
