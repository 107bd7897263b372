"""What a convolution's kernel sees, as rows of a matrix."""

from keras_vae.runtime.lazy import tf


class Window:
    """Where a kernel stands on a map, as TensorFlow's padding has it.

    Attributes:
        places: How many times it stands on each map.
    """

    def __init__(self, layer, large, small):
        """Takes the layer, and the shapes of the maps that the kernel is moved over, and of those with a value a place."""
        self.kernel_size, self.strides = layer.kernel_size, layer.strides
        self.size, self.outputs = tuple(large[1:3]), tuple(small[1:3])
        self.same = layer.padding == "same"
        self.places = self.outputs[0] * self.outputs[1]

    def patches(self, maps):
        """Returns what the kernel sees at each place, `[batch, *outputs, kernel height * width * channels]`.

        The map is divided by the remainder of rows and columns by the strides, so that what one weight of the kernel
        sees lies together.
        """
        steps = [
            count + (kernel - 1) // stride
            for count, kernel, stride in zip(self.outputs, self.kernel_size, self.strides)
        ]
        (rows, columns), (down, right) = steps, self.strides
        maps = self.framed(maps, (rows * down, columns * right))
        maps = tf.reshape(maps, (-1, rows, down, columns, right, maps.shape[-1]))
        maps = tf.transpose(
            maps, (2, 4, 0, 1, 3, 5)
        )  # [row % down, column % right, batch, row, column, channel]
        height, width = self.outputs
        seen = [
            maps[i % down, j % right, :, i // down : i // down + height, j // right : j // right + width]
            for i in range(self.kernel_size[0])
            for j in range(self.kernel_size[1])
        ]
        return tf.concat(seen, axis=-1)

    def framed(self, maps, shape):
        """Returns the padded `maps`, cut or filled with zeros at the end so that they are of that `shape`."""
        before = [self.padding(axis) for axis in range(2)]
        after = [max(0, wanted - size - edge) for wanted, size, edge in zip(shape, self.size, before)]
        return tf.pad(maps, [(0, 0), *zip(before, after), (0, 0)])[:, : shape[0], : shape[1]]

    def padding(self, axis):
        """Returns how many zeros stand above the map (left of it, axis 1)."""
        if not self.same:
            return 0
        reach = (self.outputs[axis] - 1) * self.strides[axis] + self.kernel_size[axis]
        return max(0, reach - self.size[axis]) // 2

    def kernel_gradient(self, large, small):
        """Returns the gradient by the kernel, `[height, width, channels of large, channels of small]`.

        With a the maps and b the gradient by the outputs (or the other way round, of a transposed convolution),

            dk[i, j, c, d] = sum_{n, y, x} a[n, y stride + i, x stride + j, c] b[n, y, x, d]
        """
        channels, filters = large.shape[-1], small.shape[-1]
        rows = tf.reshape(self.patches(large), (-1, self.kernel_size[0] * self.kernel_size[1] * channels))
        gradient = tf.matmul(rows, tf.reshape(small, (-1, filters)), transpose_a=True)
        return tf.reshape(gradient, (*self.kernel_size, channels, filters))
