%% The actor benchmarks for Erlang: gen_servers under a supervisor. Prints `NAME VALUE UNIT` lines.
-module(actors).
-behaviour(gen_server).
-export([main/0, start_link/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

main() ->
    _ = logger:remove_handler(default),
    [tell(Name, S, R) || {Name, S, R} <- [{"tell/1to1", 1, 1}, {"tell/8to1", 8, 1}, {"tell/fanout1000", 1, 1000}]],
    [ask(Callers) || Callers <- [1, 64]],
    restart(5000),
    idle(100000),
    halt(0).

say(Name, Value, Unit) -> io:format("~s ~.1f ~s~n", [Name, float(Value), Unit]).

start_link(Arg) -> gen_server:start_link(?MODULE, Arg, []).

init({count, Left, Done}) -> {ok, {Left, Done}};
init(answer) -> {ok, answer};
init(hibernate) -> {ok, idle, hibernate};
init({fail, T, Main}) -> Main ! {up, self()}, {ok, {fail, T}}.

handle_cast(n, {1, Done}) -> Done ! done, {noreply, {0, Done}};
handle_cast(n, {Left, Done}) -> {noreply, {Left - 1, Done}};
handle_cast(boom, {fail, T}) -> ets:insert(T, {failed, erlang:monotonic_time(nanosecond)}), exit(boom).

handle_call(n, _, {fail, T}) ->
    {reply, erlang:monotonic_time(nanosecond) - ets:lookup_element(T, failed, 2), {fail, T}};
handle_call(n, _, State) -> {reply, n, State}.

handle_info(_, State) -> {noreply, State}.

took(F) -> {Us, _} = timer:tc(F), Us * 1000.

wait(0) -> ok;
wait(N) -> receive done -> wait(N - 1) end.

tell(Name, Senders, Receivers) ->
    Each = max(1, 2000000 div (Senders * Receivers)),
    To = [element(2, start_link({count, Each * Senders, self()})) || _ <- lists:seq(1, Receivers)],
    Ns = took(fun() ->
        [spawn_link(fun() -> send(Each, To) end) || _ <- lists:seq(1, Senders)],
        wait(Receivers)
    end),
    say(Name, Ns / (Each * Senders * Receivers), "ns/op").

send(0, _) -> ok;
send(N, To) -> [gen_server:cast(P, n) || P <- To], send(N - 1, To).

ask(Callers) ->
    {ok, To} = start_link(answer),
    Each = 300000 div Callers,
    Main = self(),
    Ns = took(fun() ->
        [spawn_link(fun() -> call(Each, To), Main ! done end) || _ <- lists:seq(1, Callers)],
        wait(Callers)
    end),
    say("ask/" ++ integer_to_list(Callers), Ns / (Each * Callers), "ns/op").

call(0, _) -> ok;
call(N, To) -> gen_server:call(To, n), call(N - 1, To).

%% supervised starts a supervisor of one kind of children.
supervised(Arg) ->
    Self = self(),
    spawn(fun() ->
        {ok, Sup} = supervisor_start(Arg),
        Self ! {sup, Sup},
        receive stop -> exit(Sup, shutdown) end
    end),
    receive {sup, S} -> S end.

supervisor_start(Arg) -> supervisor:start_link(actors_sup, Arg).

restart(N) ->
    T = ets:new(t, [public]),
    _ = supervised({one, {fail, T, self()}}),
    Took = lists:sort([receive {up, Pid} -> once(Pid, T) end || _ <- lists:seq(1, N)]),
    say("restart/p50", lists:nth(N div 2, Took), "ns"),
    say("restart/p99", lists:nth(N * 99 div 100, Took), "ns").

%% once lets the child fail and asks the next one, whose coming up is left in the mailbox for the next time.
once(Pid, _) ->
    gen_server:cast(Pid, boom),
    receive {up, Next} -> self() ! {up, Next}, gen_server:call(Next, n) end.

idle(N) ->
    Sup = supervised({many, hibernate}),
    Before = erlang:memory(processes) + erlang:memory(ets),
    Ns = took(fun() -> [{ok, _} = supervisor:start_child(Sup, []) || _ <- lists:seq(1, N)] end),
    say("spawn", Ns / N, "ns/actor"),
    say("memory/100000", (erlang:memory(processes) + erlang:memory(ets) - Before) / N, "B/actor"),
    Ref = monitor(process, Sup),
    Stop = took(fun() -> exit(Sup, kill), receive {'DOWN', Ref, _, _, _} -> ok end end),
    say("stop/100000", Stop / 1000000, "ms").
