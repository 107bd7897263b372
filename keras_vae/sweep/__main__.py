"""`python -m keras_vae.sweep`."""

from keras_vae.cli.sweep import main

if __name__ == "__main__":
    main()
