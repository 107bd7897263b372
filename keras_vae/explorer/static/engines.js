// Engines, which compute results on demand. An engine has:
//   decode(codes, count, label)      -> Uint8Array, count images                       (always)
//   sample(source, first, count)     -> Float32Array, codes of the seeds first, first + 1, ...
//   encode(image, label)             -> { mean, log_var, image, distortion, rate }     (null if unsupported)
//   layer(part, name, value, label)  -> { shape: [maps, height, width], data }         (null if unsupported)
//   density(source, code)            -> the sampler's log density at a code, in nats   (null if unsupported)
//   mapLayer(name)                   -> a slow layer of the map                        (with a server)
//   replay()                         -> the training replay, or { why } without one
//   seeds                            the number of seeds, Infinity with a server
// The functions return promises. The label is null if the model is not conditional.

import { Network, sigmoid } from "explorer/network";
import { nearest, project } from "explorer/maths";
import { unpacked } from "explorer/packing";

export function engineOf(world) {
  if (world.network) return inBrowser(world);
  return world.grid ? fromGrid(world) : fromServer(world);
}

// From a server.

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : { method: "POST", body });
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? `The server answered ${answer.status}.`);
  return answer;
}

export const askJson = async (path, body) => unpacked(await (await ask(path, body)).json());

function fromServer(world) {
  const base = `explorer/api/${world.number}/`, told = (label) => (label === null ? {} : { label });
  const address = (what, query) => `${base}${what}?${new URLSearchParams(query)}`;
  return {
    seeds: Infinity,
    decode: async (codes, count, label) => new Uint8Array(await (await ask(address("decode", told(label)), codes)).arrayBuffer()),
    sample: async (source, first, count) => new Float32Array(await (await ask(address("sample", { source, first, count }))).arrayBuffer()),
    encode: async (image, label) => {
      const found = await askJson(address("encode", told(label)), image);
      return { ...found, mean: found.mean.data, log_var: found.log_var.data, image: found.image.data };
    },
    layer: async (part, name, value, label) => (await askJson(address("layer", { part, name, ...told(label) }), value)).maps,
    density: async (source, code) => new Float32Array(await (await ask(address("density", { source }), code)).arrayBuffer())[0],
    replay: () => askJson(`${base}replay`),
    mapLayer: async (name) => (await askJson(`${base}map/${name}`)).layer,
  };
}

// In the browser.

const MOST_MAPS = 64;

function inBrowser(world) {
  const { mean: rule, density, sigma, standard } = world.network;
  const encoder = new Network(world.network.encoder), decoder = new Network(world.network.decoder);
  const [height, width, channels] = world.image_shape, pixels = height * width;

  function picture(parameters) {  // the first channels are the means; any others are ignored
    const each = parameters.length / pixels, image = new Float32Array(pixels * channels);
    for (let at = 0; at < pixels; at++) for (let c = 0; c < channels; c++) {
      const value = parameters[at * each + c];
      image[at * channels + c] = rule === "sigmoid" ? sigmoid(value) : Math.min(1, Math.max(0, value));
    }
    return image;
  }

  /** Images or codes with the one-hot label as additional channels, as in keras_vae.model.autoencoder. */
  function labelled(values, depth, label) {
    if (label === null) return values;
    const each = depth + world.label_names.length, found = new Float32Array((values.length / depth) * each);
    for (let at = 0; at * depth < values.length; at++) {
      found.set(values.subarray(at * depth, (at + 1) * depth), at * each);
      found[at * each + depth + label] = 1;
    }
    return found;
  }

  const labelledCode = (code, label) => labelled(code, world.latent_shape[world.latent_shape.length - 1], label);
  const decodeOne = (code, label) => decoder.run(labelledCode(code, label)).output;
  const bytes = (image) => Uint8Array.from(image, (value) => Math.round(255 * value));

  function distortion(image, parameters) {
    const each = parameters.length / pixels;
    let nats = 0;
    for (let i = 0; i < image.length; i++) {
      const value = parameters[Math.floor(i / channels) * each + (i % channels)];
      if (density === "bernoulli") nats += Math.max(value, 0) - value * image[i] + Math.log1p(Math.exp(-Math.abs(value)));
      else nats += 0.5 * ((image[i] - value) / sigma) ** 2 + Math.log(sigma) + 0.5 * Math.log(2 * Math.PI);
    }
    return density ? nats : null;
  }

  return {
    seeds: Object.values(world.codes)[0].shape[0],
    decode: async (codes, count, label) => {
      const images = new Uint8Array(count * pixels * channels), dims = world.dims;
      for (let i = 0; i < count; i++) {
        images.set(bytes(picture(decodeOne(codes.subarray(i * dims, (i + 1) * dims), label))), i * pixels * channels);
        if (i % 16 === 15) await new Promise((resolve) => setTimeout(resolve));  // keeps the page responsive
      }
      return images;
    },
    sample: async (source, first, count) => stored(world, source, first, count),
    density: null,
    replay: async () => world.replay,
    encode: async (image, label) => {
      const { output, mean = output, log_var = new Float32Array(world.dims).fill(-100) } = encoder.run(labelled(image, channels, label));
      const parameters = decodeOne(mean, label);
      const rate = standard ? 0.5 * mean.reduce((sum, m, i) => sum + m * m + Math.exp(log_var[i]) - 1 - log_var[i], 0) : null;
      return { mean, log_var, image: bytes(picture(parameters)), distortion: distortion(image, parameters), rate };
    },
    layer: async (part, name, value, label) => {
      const [network, input] = part === "encoder" ? [encoder, labelled(value, channels, label)] : [decoder, labelledCode(value, label)];
      const output = network.compute(input, name)[name];
      const shape = network.byName[name].shape;
      if (shape.length === 1) return { shape: [1, 1, shape[0]], data: output };
      const [rows, columns, depth] = shape, maps = Math.min(depth, MOST_MAPS), size = rows * columns;
      const data = new Float32Array(maps * size);
      for (let map = 0; map < maps; map++) for (let at = 0; at < size; at++) data[map * size + at] = output[at * depth + map];
      return { shape: [maps, rows, columns], data };
    },
  };
}

function stored(world, source, first, count) {
  const { data, shape } = world.codes[source], codes = new Float32Array(count * world.dims);
  for (let i = 0; i < count; i++) {
    const row = (first + i) % shape[0];
    codes.set(data.subarray(row * world.dims, (row + 1) * world.dims), i * world.dims);
  }
  return codes;
}

// From a grid of images over the map and the images of the stored samples, for each label in turn.

function fromGrid(world) {
  const { side, images, samples } = world.grid, [left, right, bottom, top] = world.bounds;
  const { size } = world, known = Object.values(world.codes)[0].shape[0];
  const one = (pictures, at) => pictures.data.subarray(at * size, (at + 1) * size);
  const cell = (value, low, high) => Math.min(side - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * side)));

  function pictureOf(code, label) {
    for (const [source, pictures] of Object.entries(samples)) {
      const [match] = nearest(world.codes[source].data.subarray(0, known * world.dims), world.dims, code, 1);
      if (match.distance < 1e-9) return one(pictures, label * known + match.row);
    }
    const [x, y = 0] = project(world, code);
    return one(images, (label * side + cell(y, bottom, top)) * side + cell(x, left, right));
  }

  return {
    seeds: known,
    decode: async (codes, count, label) => {
      const found = new Uint8Array(count * size);
      for (let i = 0; i < count; i++)
        found.set(pictureOf(codes.subarray(i * world.dims, (i + 1) * world.dims), label ?? 0), i * size);
      return found;
    },
    sample: async (source, first, count) => stored(world, source, first % known, count),
    encode: null,
    layer: null,
    density: null,
    replay: async () => world.replay,
  };
}
