"""`python -m keras_vae.serving`."""

from keras_vae.cli.serve import main

if __name__ == "__main__":
    main()
