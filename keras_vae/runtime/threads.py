"""Threads of linear algebra."""


def one_thread():
    """Returns a context in which linear algebra runs on one thread.

    Decompositions and products of some hundred rows hardly gain from a second thread. If another process blocks it, they take 20 to 100
    times as long (measured), since threads wait for each other thousands of times.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(1, user_api="blas")
