// Computes a network of Keras layers in the browser, one image or code at a time. Arrays are height x width x channels.

const erf = (x) => {  // Abramowitz and Stegun 7.1.26, error at most 1.5e-7
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - tail * Math.exp(-x * x));
};
const softplus = (x) => (x > 30 ? x : Math.log1p(Math.exp(x)));
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const ACTIVATIONS = {
  linear: null,
  relu: (x) => (x > 0 ? x : 0),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  softplus,
  tanh: Math.tanh,
  mish: (x) => x * Math.tanh(softplus(x)),
  sigmoid,
};

function activate(values, name) {
  const function_ = ACTIVATIONS[name];
  if (function_) for (let i = 0; i < values.length; i++) values[i] = function_(values[i]);
  return values;
}

function dense(layer, [input]) {
  const [kernel, bias] = layer.weights, units = layer.shape[0];
  const output = bias ? Float32Array.from(bias) : new Float32Array(units);
  for (let i = 0; i < input.length; i++) {
    const value = input[i], row = i * units;
    if (value !== 0) for (let unit = 0; unit < units; unit++) output[unit] += value * kernel[row + unit];
  }
  return activate(output, layer.settings.activation);
}

function filled([height, width, channels], bias) {
  const output = new Float32Array(height * width * channels);
  if (bias) for (let at = 0; at < output.length; at += channels) output.set(bias, at);
  return output;
}

/** Adds value * kernel row to the output at one place: the innermost loop of all convolutions. */
function spread(input, from, depth, kernel, tap, output, to, channels) {
  for (let c = 0; c < depth; c++) {
    const value = input[from + c];
    if (value === 0) continue;
    const row = (tap * depth + c) * channels;
    for (let k = 0; k < channels; k++) output[to + k] += value * kernel[row + k];
  }
}

const before = (size, count, stride, taps) => Math.max((count - 1) * stride + taps - size, 0) >> 1;

function convolution(layer, [input], [from]) {
  const [kernel, bias] = layer.weights, [height, width, depth] = from.shape;
  const [rows, columns, channels] = layer.shape, [strideY, strideX] = layer.settings.strides;
  const [tapsY, tapsX] = layer.kernel;
  const same = layer.settings.padding === "same";
  const top = same ? before(height, rows, strideY, tapsY) : 0, left = same ? before(width, columns, strideX, tapsX) : 0;
  const output = filled(layer.shape, bias);
  for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) {
    for (let i = 0; i < tapsY; i++) {
      const inY = y * strideY + i - top;
      if (inY < 0 || inY >= height) continue;
      for (let j = 0; j < tapsX; j++) {
        const inX = x * strideX + j - left;
        if (inX < 0 || inX >= width) continue;
        spread(input, (inY * width + inX) * depth, depth, kernel, i * tapsX + j, output, (y * columns + x) * channels, channels);
      }
    }
  }
  return activate(output, layer.settings.activation);
}

function transposed(layer, [input], [from]) {
  const [kernel, bias] = layer.weights, [height, width, depth] = from.shape;
  const [rows, columns, channels] = layer.shape, [strideY, strideX] = layer.settings.strides;
  const [tapsY, tapsX] = layer.kernel;
  const same = layer.settings.padding === "same";
  const top = same ? before(rows, height, strideY, tapsY) : 0, left = same ? before(columns, width, strideX, tapsX) : 0;
  const output = filled(layer.shape, bias);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    for (let i = 0; i < tapsY; i++) {
      const outY = y * strideY + i - top;
      if (outY < 0 || outY >= rows) continue;
      for (let j = 0; j < tapsX; j++) {
        const outX = x * strideX + j - left;
        if (outX < 0 || outX >= columns) continue;
        spread(input, (y * width + x) * depth, depth, kernel, i * tapsX + j, output, (outY * columns + outX) * channels, channels);
      }
    }
  }
  return activate(output, layer.settings.activation);
}

/** Copies each output position from the input position `source(y, x)`, or leaves 0 if that is outside the input. */
function gathered(layer, input, [height, width, channels], source) {
  const [rows, columns] = layer.shape, output = new Float32Array(rows * columns * channels);
  for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) {
    const [inY, inX] = source(y, x);
    if (inY < 0 || inY >= height || inX < 0 || inX >= width) continue;
    const at = (inY * width + inX) * channels;
    output.set(input.subarray(at, at + channels), (y * columns + x) * channels);
  }
  return output;
}

function averaged(layer, [input], [from]) {
  const [, width, channels] = from.shape, [rows, columns] = layer.shape, [sizeY, sizeX] = layer.settings.pool_size;
  const output = new Float32Array(rows * columns * channels);
  for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++)
    for (let i = 0; i < sizeY; i++) for (let j = 0; j < sizeX; j++)
      for (let c = 0; c < channels; c++)
        output[(y * columns + x) * channels + c] +=
          input[((y * sizeY + i) * width + x * sizeX + j) * channels + c] / (sizeY * sizeX);
  return output;
}

/** Normalizes sets of entries to mean 0 and variance 1 and then scales by channel; `group(i)` is the set of entry i. */
function normalized(layer, input, channels, count, group) {
  const [gamma, beta] = layer.weights, sums = new Float64Array(count), squares = new Float64Array(count), sizes = new Float64Array(count);
  for (let i = 0; i < input.length; i++) { const g = group(i); sums[g] += input[i]; sizes[g]++; }
  for (let i = 0; i < input.length; i++) { const g = group(i); squares[g] += (input[i] - sums[g] / sizes[g]) ** 2; }
  return input.map((value, i) => {
    const g = group(i), c = i % channels;
    return ((value - sums[g] / sizes[g]) / Math.sqrt(squares[g] / sizes[g] + layer.settings.epsilon)) * gamma[c] + beta[c];
  });
}

const channelsOf = (layer) => layer.shape[layer.shape.length - 1];

const KINDS = {
  Dense: dense,
  Conv2D: convolution,
  Conv2DTranspose: transposed,
  Activation: (layer, [input]) => activate(Float32Array.from(input), layer.settings.activation),
  Reshape: (layer, [input]) => input,
  Flatten: (layer, [input]) => input,
  ZeroPadding2D: (layer, [input], [from]) => {
    const [[top], [left]] = layer.settings.padding;
    return gathered(layer, input, from.shape, (y, x) => [y - top, x - left]);
  },
  Cropping2D: (layer, [input], [from]) => {
    const [[top], [left]] = layer.settings.cropping;
    return gathered(layer, input, from.shape, (y, x) => [y + top, x + left]);
  },
  UpSampling2D: (layer, [input], [from]) => {
    const [sizeY, sizeX] = layer.settings.size;
    return gathered(layer, input, from.shape, (y, x) => [Math.floor(y / sizeY), Math.floor(x / sizeX)]);
  },
  AveragePooling2D: averaged,
  Add: (layer, [first, ...others]) => first.map((value, i) => others.reduce((sum, other) => sum + other[i], value)),
  BatchNormalization: (layer, [input]) =>
    input.map((value, i) => value * layer.weights[0][i % channelsOf(layer)] + layer.weights[1][i % channelsOf(layer)]),
  LayerNormalization: (layer, [input]) => {
    const channels = channelsOf(layer);
    return normalized(layer, input, channels, input.length / channels, (i) => Math.floor(i / channels));
  },
  GroupNormalization: (layer, [input]) => {
    const channels = channelsOf(layer), { groups } = layer.settings;
    return normalized(layer, input, channels, groups, (i) => Math.floor((i % channels) / (channels / groups)));
  },
  SoftBounds: (layer, [input]) => {
    const { low, high } = layer.settings;
    return input.map((value) => low + softplus(high - softplus(high - value) - low));
  },
  AppendLogSigma: (layer, [input]) => {
    const channels = channelsOf(layer), { low } = layer.settings;
    const output = new Float32Array((input.length / (channels - 1)) * channels);
    output.fill(low + softplus(layer.weights[0][0] - low));
    for (let at = 0; at * channels < output.length; at++)
      output.set(input.subarray(at * (channels - 1), (at + 1) * (channels - 1)), at * channels);
    return output;
  },
};

/** A network: compute(value, upTo) returns the outputs of all layers by name, up to the layer `upTo`. */
export class Network {
  constructor({ layers, outputs }) {
    this.layers = layers.map((layer) => ({
      ...layer,
      weights: layer.weights.map((weight) => weight.data),
      kernel: layer.weights.length && layer.weights[0].shape.length === 4 ? layer.weights[0].shape.slice(0, 2) : null,
    }));
    this.byName = Object.fromEntries(this.layers.map((layer) => [layer.name, layer]));
    this.outputs = outputs;
  }

  compute(value, upTo = null) {
    const found = {};
    for (const layer of this.layers) {
      found[layer.name] = layer.kind === "InputLayer" ? value
        : KINDS[layer.kind](layer, layer.inputs.map((name) => found[name]), layer.inputs.map((name) => this.byName[name]));
      if (layer.name === upTo) break;
    }
    return found;
  }

  /** The outputs by name. */
  run(value) {
    const found = this.compute(value);
    return Object.fromEntries(Object.entries(this.outputs).map(([key, name]) => [key, found[name]]));
  }
}
