// Numbers about a code and its image that are cheap enough to follow a hand that drags.

const HALF_LOG_2_PI = 0.5 * Math.log(2 * Math.PI);

/** log N(code; 0, I) in nats. */
export const logStandardNormal = (code) => code.reduce((sum, value) => sum - 0.5 * value * value - HALF_LOG_2_PI, 0);

/** Mean and standard deviation of that at samples of N(0, I): |z|^2 has d degrees of freedom. */
export const typicalOfStandardNormal = (dims) => [-dims * (0.5 + HALF_LOG_2_PI), Math.sqrt(dims / 2)];

/** The held-out image nearest to a picture, { row, distance }: the root mean square difference of pixels in [0, 1]. */
export function nearestPicture({ pictures, size, count }, picture) {
  let row = -1, least = Infinity;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let k = 0, at = i * size; k < size && sum < least; k++, at++) { const d = pictures[at] - picture[k]; sum += d * d; }
    if (sum < least) { least = sum; row = i; }
  }
  return { row, distance: Math.sqrt(least / size) / 255 };
}

/** (mean, log-variance) -> mean + exp(log-variance / 2) * noise, a code drawn from the posterior. */
export const drawn = (mean, logVar, noise) => mean.map((value, i) => value + Math.exp(0.5 * logVar[i]) * noise[i]);

/** A sample from N(0, 1) (Box and Muller 1958). */
export const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
