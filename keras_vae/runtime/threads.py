"""Threads of linear algebra and scikit-learn."""


def one_thread():
    """Returns a context in which linear algebra runs on one thread.

    Decompositions, products of a few hundred rows and k-means hardly gain from a second thread. If another process
    blocks it, they take 10 to 100 times as long (measured), because the threads wait for each other thousands of times.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(1)  # limits BLAS and OpenMP, which scikit-learn uses for clustering
