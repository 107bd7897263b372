"""`python -m keras_vae.explorer`."""

from keras_vae.cli.explore import main

if __name__ == "__main__":
    main()
